// The golden trace on an ATmega328P: text on UART0, then the processor stops.
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#include "trace.h"

void spikedaq::golden::PutByte(uint8_t byte) {
  while ((UCSR0A & 1 << UDRE0) == 0) {
  }
  UCSR0A |= 1 << TXC0;
  UDR0 = byte;
}

int main() {
  UCSR0A = 1 << U2X0;
  UBRR0 = 1;  // 1 Mbaud at 16 MHz
  UCSR0B = 1 << TXEN0;
  spikedaq::golden::Trace();
  while ((UCSR0A & 1 << TXC0) == 0) {
  }
  cli();
  sleep_enable();
  sleep_cpu();
  return 0;
}
