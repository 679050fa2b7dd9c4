/// Buttons, lights and the buzzer, and the two parameters that belong to them.
#ifndef SPIKEDAQ_ESP32_PANEL_H_
#define SPIKEDAQ_ESP32_PANEL_H_

#include <stdint.h>

#include "command/parameters.h"
#include "esp32/profile.h"

namespace spikedaq {
namespace esp32 {

/// A button that counts as pressed once it has been down for 30 ms, and again only after it has been up for as long.
class Button {
 public:
  /// @returns true at the one step that is a press.
  bool Update(bool down, uint32_t step_us);
  bool down() const { return down_; }

 private:
  static constexpr uint32_t kStableUs = 30000;
  bool down_ = false;
  uint32_t differs_us_ = 0;  // for how long the pin has said something else
};

/// The parameters `led` and `buzzer`. Their buttons, where the board has them, are their knobs.
class PanelParameters final : public command::ParameterBank {
 public:
  enum Index : uint8_t { kLed, kBuzzerOn, kCount };

  PanelParameters(bool led_has_button, bool buzzer_has_button) : has_button_{led_has_button, buzzer_has_button} {}

  uint8_t count() const override { return kCount; }
  command::ParameterSpec Spec(uint8_t index) const override;
  float Value(uint8_t index) const override { return on_[index] ? 1.0f : 0.0f; }
  float Base(uint8_t index) const override { return button_[index] ? 1.0f : 0.0f; }
  void Store(uint8_t index, float value) override { on_[index] = value != 0; }

  bool led() const { return on_[kLed]; }
  bool buzzer() const { return on_[kBuzzerOn]; }
  /// A press of the button.
  void Press(uint8_t index) { button_[index] = !button_[index]; }
  /// As at boot: light on, buzzer off.
  void ResetButtons() { button_[kLed] = true, button_[kBuzzerOn] = false; }

 private:
  bool has_button_[kCount];
  bool on_[kCount] = {true, false};
  bool button_[kCount] = {true, false};
};

/// What is lit and what sounds. Colours change every 10 ms, which is as much as an eye can see; a spike, which lasts
/// for half a millisecond at 10 kHz, lights up for one such time at least.
class Lights {
 public:
  explicit Lights(const Profile& profile) : profile_(profile) {}

  /// Attaches all pins, everything dark.
  void Begin();

  /// The light that a photodiode sees: at every step, for it may drive another board.
  void SetStimulusLight(uint16_t duty);
  /// @param[in] vm_mv    As sent.
  /// @param[in] percent  Of the stimulus.
  void Step(float vm_mv, bool axon_level, float percent, uint32_t step_us, const PanelParameters& panel);
  /// Lights one of the twelve mode LEDs, 0 to 11; none for any other number.
  void ShowMode(float preset);

 private:
  void Refresh(float vm_mv, float percent, bool on);
  void Pwm(uint8_t channel, PinRole role, uint16_t duty);

  static constexpr uint8_t kChannels = 7;
  static constexpr uint32_t kRefreshUs = 10000;

  const Profile& profile_;
  uint16_t duty_[kChannels] = {};
  uint32_t since_refresh_us_ = 0;
  bool spiked_ = false;
  bool sounding_ = false;
  int8_t mode_ = -1;
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_PANEL_H_
