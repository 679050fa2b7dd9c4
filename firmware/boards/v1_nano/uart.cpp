#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "profile.h"

namespace spikedaq {
namespace v1 {
namespace uart {
namespace {

// Powers of two, so that an index wraps by a mask. Received bytes that find no room are lost: their frame is bad then,
// and the host asks again.
constexpr uint8_t kReceiveBytes = 64;
constexpr uint8_t kSendBytes = 32;
constexpr uint8_t Wrap(uint8_t index, uint8_t size) { return static_cast<uint8_t>(index & (size - 1)); }

uint8_t received[kReceiveBytes];
volatile uint8_t received_end = 0;
volatile uint8_t received_begin = 0;
uint8_t sending[kSendBytes];
volatile uint8_t sending_end = 0;
volatile uint8_t sending_begin = 0;

constexpr uint16_t kDivisor = F_CPU / 8 / kBaud - 1;
static_assert((kDivisor + 1) * 8 * kBaud == F_CPU, "a baud rate of another error than 0 %");

}  // namespace

ISR(USART_RX_vect) {
  const uint8_t byte = UDR0;
  const uint8_t next = Wrap(static_cast<uint8_t>(received_end + 1), kReceiveBytes);
  if (next == received_begin) return;
  received[received_end] = byte;
  received_end = next;
}

ISR(USART_UDRE_vect) {
  const uint8_t begin = sending_begin;
  if (begin == sending_end) {
    UCSR0B = static_cast<uint8_t>(UCSR0B & ~_BV(UDRIE0));
    return;
  }
  UDR0 = sending[begin];
  sending_begin = Wrap(static_cast<uint8_t>(begin + 1), kSendBytes);
}

void Begin() {
  UCSR0A = _BV(U2X0);
  UBRR0 = kDivisor;
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXCIE0) | _BV(RXEN0) | _BV(TXEN0);
}

uint8_t Write(const uint8_t* bytes, uint8_t n) {
  uint8_t end = sending_end;
  const uint8_t room = Wrap(static_cast<uint8_t>(sending_begin - end - 1), kSendBytes);
  if (n > room) n = room;
  if (n == 0) return 0;
  for (uint8_t k = n; k > 0; --k) {
    sending[end] = *bytes++;
    end = Wrap(static_cast<uint8_t>(end + 1), kSendBytes);
  }
  sending_end = end;
  const uint8_t status = SREG;
  cli();  // the interrupt writes the same register
  UCSR0B = static_cast<uint8_t>(UCSR0B | _BV(UDRIE0));
  SREG = status;
  return n;
}

uint8_t Read(uint8_t* bytes, uint8_t n) {
  uint8_t k = 0;
  for (; k < n && received_begin != received_end; ++k) {
    bytes[k] = received[received_begin];
    received_begin = Wrap(static_cast<uint8_t>(received_begin + 1), kReceiveBytes);
  }
  return k;
}

bool HasInput() { return received_begin != received_end; }

bool IsNearlyFull() { return Wrap(static_cast<uint8_t>(sending_end - sending_begin), kSendBytes) > kSendBytes / 2; }

}  // namespace uart
}  // namespace v1
}  // namespace spikedaq
