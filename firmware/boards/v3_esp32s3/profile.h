/// Wirings of the Spikeling v3. Four public maps disagree; these are the three that can exist, one of which is chosen
/// when the firmware is built: -DSPIKEDAQ_PROFILE=kProfileA, kProfileB or kProfileC (the default).
/// docs/reference/boards/v3.md is the same tables in words, and says how to find out which one a board has.
#ifndef SPIKEDAQ_V3_ESP32S3_PROFILE_H_
#define SPIKEDAQ_V3_ESP32S3_PROFILE_H_

#include "esp32/profile.h"

#ifndef SPIKEDAQ_PROFILE
#define SPIKEDAQ_PROFILE kProfileC
#endif

namespace spikedaq {
namespace v3_esp32s3 {

constexpr esp32::Pins CommonPins() {
  using namespace esp32;
  Pins p;
  p.at[kSck] = 12;
  p.at[kMosi] = 11;
  p.at[kMiso] = 13;
  p.at[kCsAdc1] = 10;
  p.at[kCsAdc2] = 9;
  p.at[kSyn1Pulse] = 38;
  p.at[kSyn2Pulse] = 39;
  p.at[kAxonPulse] = 16;
  p.at[kBuzzer] = 18;
  p.at[kVmRed] = 21;
  p.at[kVmGreen] = 14;
  p.at[kVmBlue] = 47;
  p.at[kBuzzerButton] = 8;
  p.at[kLedButton] = 17;
  return p;
}

// A and B: the layout and the schematic agree on light and stimulus LED.
constexpr esp32::Pins LayoutPins(bool has_dac) {
  using namespace esp32;
  Pins p = CommonPins();
  p.at[kStimulusLight] = 1;
  p.at[kStimulusRed] = 7;
  p.at[kStimulusGreen] = 6;
  p.at[kStimulusBlue] = 5;
  if (has_dac) p.at[kCsDac] = 3;  // strapping
  return p;
}

constexpr esp32::Pins NewestPins() {
  using namespace esp32;
  Pins p = CommonPins();
  p.at[kStimulusLight] = 15;
  p.at[kStimulusRed] = 5;
  p.at[kStimulusGreen] = 7;
  p.at[kStimulusBlue] = 6;
  p.at[kCsDac] = 3;  // strapping
  return p;
}

/// The board v3.0 as laid out. It has no converter for its analogue outputs, whose two nets end at inputs.
constexpr esp32::Profile kProfileA = {
    "v3-A",
    esp32::Chip::kEsp32S3,
    esp32::Dac::kNone,
    LayoutPins(false),
    {
        {"photodiode", 0, 6, esp32::Use::kPhotodiode, nullptr},
        {"current_in", 0, 4, esp32::Use::kCurrentIn, nullptr},
        {"syn1_vm", 0, 0, esp32::Use::kSyn1Vm, nullptr},
        {"syn2_vm", 0, 2, esp32::Use::kSyn2Vm, nullptr},
        {"syn1_gain_knob", 0, 1, esp32::Use::kKnob, "syn1_gain"},
        {"syn2_gain_knob", 0, 3, esp32::Use::kKnob, "syn2_gain"},
        {"i_clamp_knob", 0, 5, esp32::Use::kKnob, "i_clamp"},
        {"photo_gain_knob", 0, 7, esp32::Use::kKnob, "photo_gain"},
        {"stim_strength_knob", 1, 1, esp32::Use::kKnob, "stim_strength"},
        {"stim_period_knob", 1, 2, esp32::Use::kKnob, "stim_period"},
        {"noise_sd_knob", 1, 4, esp32::Use::kKnob, "noise_sd"},
        {"synapse_out_net", 1, 0, esp32::Use::kMonitor, nullptr},
        {"stimulus_out_net", 1, 3, esp32::Use::kMonitor, nullptr},
    },
    13,
    3300,
    3300,
    0,
};

/// The schematic of December 2025.
constexpr esp32::Profile kProfileB = {
    "v3-B",
    esp32::Chip::kEsp32S3,
    esp32::Dac::kMcp4922,
    LayoutPins(true),
    {
        {"photodiode", 1, 0, esp32::Use::kPhotodiode, nullptr},
        {"current_in", 0, 4, esp32::Use::kCurrentIn, nullptr},
        {"syn1_vm", 0, 0, esp32::Use::kSyn1Vm, nullptr},
        {"syn2_vm", 0, 2, esp32::Use::kSyn2Vm, nullptr},
        {"syn1_gain_knob", 0, 1, esp32::Use::kKnob, "syn1_gain"},
        {"syn2_gain_knob", 0, 3, esp32::Use::kKnob, "syn2_gain"},
        {"i_clamp_knob", 0, 5, esp32::Use::kKnob, "i_clamp"},
        {"photo_gain_knob", 1, 1, esp32::Use::kKnob, "photo_gain"},
        {"noise_sd_knob", 1, 2, esp32::Use::kKnob, "noise_sd"},
        {"stim_strength_knob", 1, 3, esp32::Use::kKnob, "stim_strength"},
        {"stim_period_knob", 1, 4, esp32::Use::kKnob, "stim_period"},
    },
    11,
    3300,
    3300,
    1,
};

/// What the newest stock firmware ("3.1") drives, and so the likeliest wiring of boards 3.0.1 and later.
constexpr esp32::Profile kProfileC = {
    "v3-C",
    esp32::Chip::kEsp32S3,
    esp32::Dac::kMcp4922,
    NewestPins(),
    {
        {"photodiode", 0, 5, esp32::Use::kPhotodiode, nullptr},
        {"current_in", 0, 7, esp32::Use::kCurrentIn, nullptr},
        {"syn1_vm", 0, 1, esp32::Use::kSyn1Vm, nullptr},
        {"syn2_vm", 0, 3, esp32::Use::kSyn2Vm, nullptr},
        {"syn1_gain_knob", 0, 0, esp32::Use::kKnob, "syn1_gain"},
        {"syn2_gain_knob", 0, 2, esp32::Use::kKnob, "syn2_gain"},
        {"photo_gain_knob", 0, 4, esp32::Use::kKnob, "photo_gain"},
        {"i_clamp_knob", 0, 6, esp32::Use::kKnob, "i_clamp"},
        {"noise_sd_knob", 1, 0, esp32::Use::kKnob, "noise_sd"},
        {"stim_period_knob", 1, 1, esp32::Use::kKnob, "stim_period"},
        {"stim_strength_knob", 1, 2, esp32::Use::kKnob, "stim_strength"},
    },
    11,
    3300,
    3300,
    1,
};

static_assert(esp32::CanBe(kProfileA), "v3 A: a pin or converter input is used twice, missing, or cannot do its work");
static_assert(esp32::CanBe(kProfileB), "v3 B: a pin or converter input is used twice, missing, or cannot do its work");
static_assert(esp32::CanBe(kProfileC), "v3 C: a pin or converter input is used twice, missing, or cannot do its work");

static constexpr const esp32::Profile& kProfile = SPIKEDAQ_PROFILE;

}  // namespace v3_esp32s3
}  // namespace spikedaq

#endif  // SPIKEDAQ_V3_ESP32S3_PROFILE_H_
