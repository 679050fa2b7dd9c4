/// Timer 1: the microsecond counter, the moment of each step, and the LED's modulation.
///
/// It counts half microseconds and wraps at every millisecond; the step is due at its compare match B.
#ifndef SPIKEDAQ_V1_TIMER_H_
#define SPIKEDAQ_V1_TIMER_H_

#include <avr/io.h>
#include <stdint.h>

namespace spikedaq {
namespace v1 {
namespace timer {

constexpr uint16_t kPeriodUs = 1000;
constexpr uint16_t kTop = 2 * kPeriodUs;  ///< Counts of a period, and the LED's full brightness.

/// Starts to count at 0. No step comes before FirstDueIn and ReleaseSteps.
void Begin();
/// Microseconds since Begin.
uint64_t Tick();
/// The same in half microseconds, its low 32 bits (35 minutes), with interrupts off.
uint32_t HalfTick();

/// Half microseconds since the counter's last wrap. With interrupts off.
inline uint16_t Counts() { return TCNT1; }
/// The number of the millisecond, modulo 256.
uint8_t Millisecond();

/// The first step is due this many milliseconds from now. With interrupts off, within 70 minutes of Begin.
/// @returns its tick.
uint64_t FirstDueIn(uint8_t ms);
/// The next step is due `step_us` (at least 1000) after the one that was.
void DueAfter(uint32_t step_us);
/// A step is due, or overdue. With interrupts off.
bool IsDue();

inline void HoldSteps() {
  TIMSK1 = _BV(TOIE1);
  __asm__ volatile("" ::: "memory");
}
/// A match that came meanwhile interrupts at once.
inline void ReleaseSteps() {
  __asm__ volatile("" ::: "memory");
  TIMSK1 = _BV(TOIE1) | _BV(OCIE1B);
}

/// Brightness of the LED, 0 to kTop.
inline void SetLed(uint16_t counts) { OCR1A = counts; }

}  // namespace timer
}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_TIMER_H_
