#include "esp32/adc_rotation.h"

namespace spikedaq {
namespace esp32 {
namespace {

bool IsSignal(const AdcInput& input) { return input.use < Use::kKnob; }

}  // namespace

AdcRotation::AdcRotation(const Profile& profile) {
  uint8_t signals[kMaxInputs];
  uint8_t slow[kMaxInputs];
  uint8_t n_signals = 0;
  uint8_t n_slow = 0;
  for (uint8_t i = 0; i < profile.n_inputs; ++i) {
    if (IsSignal(profile.inputs[i])) {
      signals[n_signals++] = i;
    } else {
      slow[n_slow++] = i;
    }
  }
  // A round is a whole number of steps, so that a signal's period is one.
  const uint8_t slow_per_round = n_signals % kConversionsPerStep == 0 ? 2 : 1;
  for (uint8_t done = 0; done == 0 || done < n_slow; done = static_cast<uint8_t>(done + slow_per_round)) {
    for (uint8_t i = 0; i < n_signals; ++i) slots_[n_slots_++] = signals[i];
    for (uint8_t i = 0; i < slow_per_round; ++i) {
      slots_[n_slots_++] = done + i < n_slow ? slow[done + i] : kNoInput;
    }
  }
  for (uint8_t i = 0; i < profile.n_inputs; ++i) {
    const uint8_t slots = IsSignal(profile.inputs[i]) ? static_cast<uint8_t>(n_signals + slow_per_round) : n_slots_;
    period_[i] = slots / kConversionsPerStep;
  }
}

void AdcRotation::Next(uint8_t (&inputs)[kConversionsPerStep]) {
  for (uint8_t& input : inputs) {
    input = slots_[next_];
    next_ = next_ + 1 == n_slots_ ? uint8_t{0} : static_cast<uint8_t>(next_ + 1);
  }
}

}  // namespace esp32
}  // namespace spikedaq
