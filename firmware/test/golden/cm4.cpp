// The golden trace on a Cortex-M4F in QEMU: text on UART0, then the simulator ends.
#include "trace.h"
#include "uart.h"

void spikedaq::golden::PutByte(uint8_t byte) {
  while (cm4::WriteUart(&byte, 1) == 0) {
  }
}

int main() {
  spikedaq::cm4::StartUart();
  spikedaq::golden::Trace();
  return 0;
}
