// An image that shows what the simulator does: it answers each byte, one letter per ability.
//   'e' + byte   the byte back               'a' + channel  the converter's 10 bits, low byte first
//   'p'          port D's pins               's'            the first byte of the EEPROM, and adds one to it
//   'f' + count  as many bytes 0, 1, 2 ...   'w'            waits for the watchdog to reset it
// At start it sends 'R' and the reason of the reset.
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>

static void Put(uint8_t byte) {
  while (!(UCSR0A & (1 << UDRE0))) {
  }
  UDR0 = byte;
}

static uint8_t Get(void) {
  while (!(UCSR0A & (1 << RXC0))) {
  }
  return UDR0;
}

int main(void) {
  const uint8_t reason = MCUSR;
  MCUSR = 0;
  wdt_disable();
  UCSR0A = 1 << U2X0;
  UBRR0 = 1;  // 1 Mbaud at 16 MHz
  UCSR0B = 1 << RXEN0 | 1 << TXEN0;
  ADCSRA = 1 << ADEN | 7;
  Put('R');
  Put(reason);
  for (;;) {
    switch (Get()) {
      case 'e':
        Put(Get());
        break;
      case 'a':
        ADMUX = 1 << REFS0 | Get();
        ADCSRA |= 1 << ADSC;
        while (ADCSRA & 1 << ADSC) {
        }
        Put(ADCL);
        Put(ADCH);
        break;
      case 'p':
        Put(PIND);
        break;
      case 's': {
        const uint8_t was = eeprom_read_byte((const uint8_t*)0);
        eeprom_write_byte((uint8_t*)0, was + 1);
        eeprom_busy_wait();
        Put(was);
        break;
      }
      case 'f':
        for (uint8_t n = Get(), k = 0; k < n; ++k) Put(k);
        break;
      case 'w':
        wdt_enable(WDTO_15MS);
        for (;;) {
        }
    }
  }
}
