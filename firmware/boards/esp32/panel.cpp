#include "esp32/panel.h"

#include <initializer_list>

#include "esp32/hal.h"
#include "neuron/knobs.h"

namespace spikedaq {
namespace esp32 {
namespace {

constexpr uint16_t kFullDuty = 1023;
constexpr uint8_t kLightChannel = 0;
constexpr PinRole kPwmRoles[] = {kStimulusLight, kVmRed,         kVmGreen,     kVmBlue,
                                 kStimulusRed,   kStimulusGreen, kStimulusBlue};

// The twelve mode LEDs hang between four pins: LED n lights when the first of its pins is high, the second low, and the
// other two are inputs.
struct Pair {
  PinRole high;
  PinRole low;
};
constexpr Pair kModeLeds[12] = {
    {kModeLed1, kModeLed2}, {kModeLed2, kModeLed1}, {kModeLed2, kModeLed3}, {kModeLed3, kModeLed2},
    {kModeLed3, kModeLed4}, {kModeLed4, kModeLed3}, {kModeLed1, kModeLed3}, {kModeLed3, kModeLed1},
    {kModeLed2, kModeLed4}, {kModeLed4, kModeLed2}, {kModeLed1, kModeLed4}, {kModeLed4, kModeLed1},
};

}  // namespace

bool Button::Update(bool down, uint32_t step_us) {
  if (down == down_) {
    differs_us_ = 0;
    return false;
  }
  differs_us_ += step_us;
  if (differs_us_ < kStableUs) return false;
  differs_us_ = 0;
  down_ = down;
  return down;
}

command::ParameterSpec PanelParameters::Spec(uint8_t index) const {
  const uint8_t flags = has_button_[index] ? wire::kParameterHasKnob : uint8_t{0};
  if (index == kLed) return {"led", "1", wire::ParameterType::kBoolean, 0, 1, 1, flags};
  return {"buzzer", "1", wire::ParameterType::kBoolean, 0, 1, 0, flags};
}

void Lights::Begin() {
  for (uint8_t channel = 0; channel < kChannels; ++channel) {
    const int8_t pin = profile_.pins.at[kPwmRoles[channel]];
    if (pin == kNoPin) continue;
    hal::PwmAttach(channel, pin);
    hal::PwmWrite(channel, 0);
  }
  hal::Output(profile_.pins.at[kBuzzer], false);
  for (const PinRole role : {kModeLed1, kModeLed2, kModeLed3, kModeLed4}) {
    if (profile_.pins.Has(role)) hal::Input(profile_.pins.at[role], false);
  }
}

void Lights::Pwm(uint8_t channel, PinRole role, uint16_t duty) {
  if (duty == duty_[channel] || !profile_.pins.Has(role)) return;
  duty_[channel] = duty;
  hal::PwmWrite(channel, duty);
}

void Lights::SetStimulusLight(uint16_t duty) { Pwm(kLightChannel, kStimulusLight, duty); }

void Lights::Step(float vm_mv, bool axon_level, float percent, uint32_t step_us, const PanelParameters& panel) {
  const bool sound = axon_level && panel.buzzer();
  if (sound != sounding_) {
    sounding_ = sound;
    hal::Write(profile_.pins.at[kBuzzer], sound);
  }
  spiked_ = spiked_ || axon_level;
  since_refresh_us_ += step_us;
  if (since_refresh_us_ < kRefreshUs) return;
  since_refresh_us_ = 0;
  Refresh(vm_mv, percent, panel.led());
  spiked_ = false;
}

void Lights::Refresh(float vm_mv, float percent, bool on) {
  const auto duty = [](float value) { return static_cast<uint16_t>(Clamp(value, 0.0f, float{kFullDuty})); };
  const uint16_t white = on && spiked_ ? kFullDuty : uint16_t{0};
  // Below threshold green says how high the potential is, from -110 to 30 mV; a spike is white.
  const uint16_t green = !on ? uint16_t{0} : (spiked_ ? kFullDuty : duty((vm_mv + 110.0f) * 1023.0f / 140.0f));
  Pwm(1, kVmRed, white);
  Pwm(2, kVmGreen, green);
  Pwm(3, kVmBlue, white);
  // Red is ten times as bright as blue on these boards.
  const bool lit = on && (percent >= 0.5f || percent <= -0.5f);
  Pwm(4, kStimulusRed, lit && percent > 0 ? duty(percent * 1.023f) : uint16_t{0});
  Pwm(5, kStimulusGreen, 0);
  Pwm(6, kStimulusBlue, lit && percent < 0 ? duty(percent * -10.23f) : uint16_t{0});
}

void Lights::ShowMode(float preset) {
  if (!profile_.pins.Has(kModeLed1)) return;
  const int8_t mode = preset >= 0 && preset < 12 ? static_cast<int8_t>(preset) : int8_t{-1};
  if (mode == mode_) return;
  mode_ = mode;
  for (const PinRole role : {kModeLed1, kModeLed2, kModeLed3, kModeLed4}) hal::Input(profile_.pins.at[role], false);
  if (mode < 0) return;
  hal::Output(profile_.pins.at[kModeLeds[mode].low], false);
  hal::Output(profile_.pins.at[kModeLeds[mode].high], true);
}

}  // namespace esp32
}  // namespace spikedaq
