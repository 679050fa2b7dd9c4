// The golden trace on this computer: text on stdout.
#include <stdio.h>

#include "trace.h"

void spikedaq::golden::PutByte(uint8_t byte) { putchar(byte); }

int main() {
  spikedaq::golden::Trace();
  return 0;
}
