/// Which inputs are converted at which step.
#ifndef SPIKEDAQ_ESP32_ADC_ROTATION_H_
#define SPIKEDAQ_ESP32_ADC_ROTATION_H_

#include <stdint.h>

#include "esp32/profile.h"

namespace spikedaq {
namespace esp32 {

/// No input in this place of a step.
constexpr uint8_t kNoInput = 0xFF;

/// A conversion takes 24 clocks of a 1 MHz bus, 24 us, and about 10 us more in the driver: more than two do not fit
/// into a step of 100 us beside the two writes to the output converter (docs/reference/boards/v3.md, "Budget").
constexpr uint8_t kConversionsPerStep = 2;

/// Rounds of all signals, each followed by one or two of the slow inputs (knobs and monitors), so that signals come
/// round often and every input comes round after the same number of steps, always. Where the slow inputs do not fill
/// the last round its place stays empty.
class AdcRotation {
 public:
  explicit AdcRotation(const Profile& profile);

  /// The inputs of the next step, as indices of the profile, or kNoInput.
  void Next(uint8_t (&inputs)[kConversionsPerStep]);

  /// Steps from one conversion of an input to its next.
  uint16_t PeriodSteps(uint8_t input) const { return period_[input]; }

 private:
  // 4 signals and 2 slow inputs make a round; 9 slow inputs take five.
  static constexpr uint8_t kMaxSlots = 60;

  uint8_t slots_[kMaxSlots];
  uint8_t n_slots_ = 0;
  uint8_t next_ = 0;
  uint16_t period_[kMaxInputs] = {};
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_ADC_ROTATION_H_
