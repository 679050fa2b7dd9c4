/// What is plugged into a board that has no converters: a light, a current source, and one switch, as parameters.
#ifndef SPIKEDAQ_BOARD_VIRTUAL_INPUTS_H_
#define SPIKEDAQ_BOARD_VIRTUAL_INPUTS_H_

#include <stdint.h>

#include "command/parameters.h"

namespace spikedaq {
namespace board {

class VirtualInputs final : public command::ParameterBank {
 public:
  /// `of_switch` says what the switch is for, and by its default whether it is on at first.
  explicit VirtualInputs(const command::ParameterSpec& of_switch)
      : switch_(of_switch), is_on_(of_switch.default_value != 0) {}

  float light() const { return light_; }
  float current_in() const { return current_in_; }
  bool is_on() const { return is_on_; }

  uint8_t count() const override { return kCount; }

  command::ParameterSpec Spec(uint8_t index) const override {
    switch (index) {
      case kLight:
        return {"virtual_light", "1", wire::ParameterType::kFloat, 0, 10, 0, 0};
      case kCurrentIn:
        return {"virtual_current_in", "a.u.", wire::ParameterType::kFloat, -1000, 1000, 0, 0};
      default:
        return switch_;
    }
  }

  float Value(uint8_t index) const override {
    switch (index) {
      case kLight:
        return light_;
      case kCurrentIn:
        return current_in_;
      default:
        return is_on_ ? 1.0f : 0.0f;
    }
  }

  void Store(uint8_t index, float value) override {
    switch (index) {
      case kLight:
        light_ = value;
        break;
      case kCurrentIn:
        current_in_ = value;
        break;
      default:
        is_on_ = value != 0;
        break;
    }
  }

 private:
  enum Index : uint8_t { kLight, kCurrentIn, kSwitch, kCount };

  const command::ParameterSpec switch_;
  float light_ = 0;
  float current_in_ = 0;
  bool is_on_;
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_VIRTUAL_INPUTS_H_
