#include "uart.h"

#include "registers.h"

namespace spikedaq {
namespace cm4 {
namespace {

// Room for any request, so that a byte is lost only where the host does not keep to max_request_bytes. A power of two.
constexpr uint32_t kRoom = 2048;

uint8_t received[kRoom];
volatile uint32_t n_received = 0;  // both count on for ever; only the interrupt writes this one,
volatile uint32_t n_taken = 0;     // only the program this

}  // namespace

extern "C" void Uart0Rx_Handler() {
  Register(kUartInterrupts) = kRxInterruptFlag;
  while ((Register(kUartState) & kRxFull) != 0) {
    const uint8_t byte = static_cast<uint8_t>(Register(kUartData));
    if (n_received - n_taken == kRoom) continue;  // the frame's CRC tells
    received[n_received % kRoom] = byte;
    n_received = n_received + 1;
  }
}

void StartUart() {
  Register(kUartDivider) = 27;  // 25 MHz / 921,600; QEMU heeds only that it is 16 or more
  Register(kUartControl) = kTxEnable | kRxEnable | kRxInterrupt;
  Register(kInterruptEnable) = 1u << kUart0RxLine;
}

size_t WriteUart(const uint8_t* bytes, size_t n) {
  size_t done = 0;
  while (done < n && (Register(kUartState) & kTxFull) == 0) Register(kUartData) = bytes[done++];
  return done;
}

size_t ReadUart(uint8_t* bytes, size_t n) {
  size_t done = 0;
  while (done < n && n_taken != n_received) {
    bytes[done++] = received[n_taken % kRoom];
    n_taken = n_taken + 1;
  }
  return done;
}

}  // namespace cm4
}  // namespace spikedaq
