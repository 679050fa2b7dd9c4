/// Wiring of the Spikeling v2 (2.2 to 2.5; they are alike). docs/reference/boards/v2.md is the same table in words.
#ifndef SPIKEDAQ_V2_ESP32_PROFILE_H_
#define SPIKEDAQ_V2_ESP32_PROFILE_H_

#include "esp32/profile.h"

namespace spikedaq {
namespace v2_esp32 {

constexpr esp32::Pins MakePins() {
  using namespace esp32;
  Pins p;
  p.at[kSck] = 18;
  p.at[kMosi] = 32;
  p.at[kMiso] = 33;   // driven with 5 V by the converters, which the ESP32 is not made for
  p.at[kCsAdc1] = 0;  // strapping
  p.at[kCsAdc2] = 4;
  p.at[kSyn1Pulse] = 35;
  p.at[kSyn2Pulse] = 34;
  p.at[kAxonPulse] = 15;  // strapping
  p.at[kStimulusLight] = 22;
  p.at[kBuzzer] = 13;
  p.at[kVmRed] = 27;
  p.at[kVmGreen] = 14;
  p.at[kVmBlue] = 12;  // strapping
  p.at[kModeButton] = 39;
  p.at[kModeLed1] = 2;  // strapping
  p.at[kModeLed2] = 5;  // strapping
  p.at[kModeLed3] = 19;
  p.at[kModeLed4] = 21;
  p.at[kAxonAnalogue] = 25;
  p.at[kStimulusAnalogue] = 26;
  return p;
}

constexpr esp32::Profile kProfile = {
    "v2",
    esp32::Chip::kEsp32,
    esp32::Dac::kInternal,
    MakePins(),
    {
        {"photodiode", 1, 2, esp32::Use::kPhotodiode, nullptr},
        {"current_in", 1, 3, esp32::Use::kCurrentIn, nullptr},
        {"syn1_vm", 1, 0, esp32::Use::kSyn1Vm, nullptr},
        {"syn2_vm", 1, 1, esp32::Use::kSyn2Vm, nullptr},
        {"i_clamp_knob", 0, 0, esp32::Use::kKnob, "i_clamp"},
        {"syn1_gain_knob", 0, 1, esp32::Use::kKnob, "syn1_gain"},
        {"syn2_gain_knob", 0, 2, esp32::Use::kKnob, "syn2_gain"},
        {"photo_gain_knob", 0, 3, esp32::Use::kKnob, "photo_gain"},
        {"stim_strength_knob", 0, 4, esp32::Use::kKnob, "stim_strength"},
        {"stim_period_knob", 0, 5, esp32::Use::kKnob, "stim_period"},
        {"noise_sd_knob", 0, 6, esp32::Use::kKnob, "noise_sd"},
    },
    11,
    5000,
    3300,
    5,
};
static_assert(esp32::CanBe(kProfile), "v2: a pin or converter input is used twice, missing, or cannot do what it must");

}  // namespace v2_esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_V2_ESP32_PROFILE_H_
