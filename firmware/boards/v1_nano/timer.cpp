#include "timer.h"

#include <avr/interrupt.h>

namespace spikedaq {
namespace v1 {
namespace timer {
namespace {

volatile uint16_t periods = 0;       // of kPeriodUs each, since Begin
volatile uint32_t periods_high = 0;  // their carries
uint16_t due_period = 0;             // when the next step is due
uint16_t due_us = 0;
uint32_t step_us_known = 0;  // the last step period, and its parts: a division costs 600 cycles
uint16_t step_periods = 0;
uint16_t step_rest_us = 0;

// Both counts at one moment, with interrupts off.
struct Moment {
  uint32_t high;
  uint16_t low;
  uint16_t counts;
  uint32_t periods() const { return high << 16 | low; }
};
Moment Now() {
  Moment m = {periods_high, periods, TCNT1};
  if ((TIFR1 & _BV(TOV1)) == 0) return m;
  // It wrapped and the interrupt has not been served.
  m.counts = TCNT1;
  if (++m.low == 0) ++m.high;
  return m;
}

}  // namespace

ISR(TIMER1_OVF_vect) { ++periods; }

void Begin() {
  // Fast PWM with ICR1 on top (mode 14), 16 MHz / 8; OC1A is high from the wrap to its match.
  TCCR1B = 0;
  TCCR1A = _BV(COM1A1) | _BV(WGM11);
  ICR1 = kTop - 1;
  OCR1A = 0;
  OCR1B = 0;
  TCNT1 = 0;
  TIFR1 = _BV(TOV1) | _BV(OCF1B);
  TIMSK1 = _BV(TOIE1);
  TCCR1B = _BV(WGM13) | _BV(WGM12) | _BV(CS11);
}

uint64_t Tick() {
  const uint8_t status = SREG;
  cli();
  const Moment now = Now();
  SREG = status;
  // In halves: a product of 64 bits takes a thousand cycles.
  const uint32_t low = uint32_t{now.low} * kPeriodUs + now.counts / 2;
  return (static_cast<uint64_t>(now.high * kPeriodUs) << 16) + low;
}

uint32_t HalfTick() {
  const Moment now = Now();
  return now.periods() * kTop + now.counts;
}

uint8_t Millisecond() { return static_cast<uint8_t>(periods); }

uint64_t FirstDueIn(uint8_t ms) {
  due_period = static_cast<uint16_t>(periods + ms);
  due_us = 0;
  OCR1B = 0;
  return uint32_t{due_period} * kPeriodUs;
}

void DueAfter(uint32_t step_us) {
  if (step_us != step_us_known) {
    step_us_known = step_us;
    step_periods = static_cast<uint16_t>(step_us / kPeriodUs);
    step_rest_us = static_cast<uint16_t>(step_us % kPeriodUs);
  }
  due_period = static_cast<uint16_t>(due_period + step_periods);
  if (step_rest_us == 0) return;
  due_us = static_cast<uint16_t>(due_us + step_rest_us);
  if (due_us >= kPeriodUs) {
    due_us = static_cast<uint16_t>(due_us - kPeriodUs);
    ++due_period;
  }
  OCR1B = static_cast<uint16_t>(2 * due_us);  // taken over at the next wrap, which comes before it is due
}

bool IsDue() {
  uint16_t now = periods;
  uint16_t counts = TCNT1;
  if ((TIFR1 & _BV(TOV1)) != 0) ++now, counts = TCNT1;
  // A step is a second at most, so 16 bits of the milliseconds tell early from late.
  const int16_t late = static_cast<int16_t>(now - due_period);
  return late > 0 || (late == 0 && counts >= 2 * due_us);
}

}  // namespace timer
}  // namespace v1
}  // namespace spikedaq
