// What the boards with an ESP32 do with their pins, for every profile.
#include <doctest/doctest.h>

#include <algorithm>

#include "esp_bench.h"

using namespace testing;

namespace {

// Enough steps for darkness to be measured (200 conversions, one in three steps).
constexpr int kDarkSteps = 600;

std::vector<board::Probe> Probes(EspBench* b) {
  std::vector<board::Probe> probes;
  board::Probe probe;
  for (uint8_t i = 0; i < 100 && b->runner->board().ReadProbe(i, &probe); ++i) probes.push_back(probe);
  return probes;
}

std::string NameOf(const board::Probe& probe) { return std::string(probe.name.data, probe.name.size); }

bool Lit(const EspBench& b, esp32::PinRole role) { return chip.duties[b.Pin(role)] > 0; }

void Press(EspBench* b, esp32::PinRole button) {
  chip.levels[b->Pin(button)] = true;
  b->Steps(350);
  chip.levels[b->Pin(button)] = false;
  b->Steps(350);
}

/// Gives the outputs a potential, as a step does.
void Show(EspBench* b, float vm) {
  Sample<float> sample = {};
  sample.vm = vm;
  const int16_t raw[kChannelCount] = {};
  b->runner->board().SetOutputs(board::Outputs{0, 0, sample, raw});
}

}  // namespace

TEST_CASE("esp32: every pin of the profile is used, and no other") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile);
    b.Steps(10);
    std::set<int> wired;
    for (const int8_t pin : profile->pins.at) {
      if (pin != esp32::kNoPin) wired.insert(pin);
    }
    CHECK(chip.touched == wired);
  }
}

TEST_CASE("esp32: tables that cannot be are found") {
  using namespace esp32;
  CHECK(CanBe(v2_esp32::kProfile));
  Profile p = v3_esp32s3::kProfileC;
  p.pins.at[kBuzzer] = p.pins.at[kAxonPulse];
  CHECK_FALSE(CanBe(p));  // a pin twice
  p = v3_esp32s3::kProfileC;
  p.pins.at[kBuzzer] = 19;
  CHECK_FALSE(CanBe(p));  // USB
  p = v3_esp32s3::kProfileC;
  p.pins.at[kBuzzer] = 46;
  CHECK_FALSE(CanBe(p));  // strapping, and not said
  p = v3_esp32s3::kProfileC;
  p.inputs[3].channel = p.inputs[2].channel;
  CHECK_FALSE(CanBe(p));  // a converter's input twice
  p = v3_esp32s3::kProfileC;
  p.dac = Dac::kNone;
  CHECK_FALSE(CanBe(p));  // no converter, but its pin
  p = v2_esp32::kProfile;
  p.pins.at[kBuzzer] = 36;
  CHECK_FALSE(CanBe(p));  // an output on a pin that is input only
  p = v2_esp32::kProfile;
  p.pins.at[kBuzzer] = 7;
  CHECK_FALSE(CanBe(p));  // flash memory
  p = v2_esp32::kProfile;
  p.n_inputs = 10;
  CHECK_FALSE(CanBe(p));  // a knob is missing
}

TEST_CASE("esp32: the self-test lists every input with its own period") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile, 1000);
    CHECK(Probes(&b).at(2).raw == 1000);  // before any step
    b.Steps(30);
    b.At("photodiode") = 4095;
    b.Steps(30);
    const std::vector<board::Probe> probes = Probes(&b);
    const bool v2 = profile->chip == esp32::Chip::kEsp32;
    REQUIRE(probes.size() == profile->n_inputs + (v2 ? 3u : 4u));
    for (uint8_t i = 0; i < profile->n_inputs; ++i) {
      CHECK(NameOf(probes[i]) == profile->inputs[i].name);
      CHECK(probes[i].raw == (i == 0 ? 4095 : 1000));
      const double volts = probes[i].raw * profile->adc_reference_mv / 4096e3;
      CHECK(probes[i].value == doctest::Approx(volts));
      CHECK(probes[i].period_us == b.runner->io().rotation().PeriodSteps(i) * 100u);
    }
    CHECK(NameOf(probes[profile->n_inputs]) == "syn1_pulse");
    CHECK(NameOf(probes.back()) == (v2 ? "mode_button" : "buzzer_button"));
    CHECK(probes.back().period_us == 100);
    CHECK((b.All<Hello>().at(0).traits & kTraitSelfTest) != 0);
  }
}

TEST_CASE("esp32: knobs start where they stand, and hold still until they are turned") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile, 4095);
    CHECK(b.Value("i_clamp") == doctest::Approx(86.6).epsilon(0.01));
    CHECK(b.Value("noise_sd") == doctest::Approx(11.67).epsilon(0.01));
    CHECK(b.Value("stim_strength") == 100);
    CHECK(b.Value("stim_period") == 10);
    CHECK((b.device().parameters().Spec(b.Index("i_clamp")).flags & kParameterHasKnob) != 0);
    const float before = b.Value("i_clamp");
    b.At("i_clamp_knob") = 4091;  // within the deadband
    b.Steps(1000);
    CHECK(b.Value("i_clamp") == before);
    b.At("i_clamp_knob") = 2048;
    b.Steps(3000);
    CHECK(b.Value("i_clamp") == 0);
    b.At("syn2_gain_knob") = 0;
    b.Steps(3000);
    CHECK(b.Value("syn2_gain") == doctest::Approx(-21.67).epsilon(0.01));
    b.Set("photo_gain", 3);  // the host holds it
    b.At("photo_gain_knob") = 0;
    b.Steps(3000);
    CHECK(b.Value("photo_gain") == 3);
  }
}

TEST_CASE("esp32: the axon's converter, from -110 to 100 mV") {
  EspBench b(v3_esp32s3::kProfileC);
  const auto words = [&b](float vm) {
    Show(&b, vm);
    chip.dac_words.clear();
    b.runner->io().Tick(chip.now_us);
    chip.now_us += 100;
    return chip.dac_words;
  };
  using Words = std::vector<uint16_t>;
  CHECK(words(-110) == Words{0xB800, 0x3000});  // the stimulus, too, is written for the first time
  CHECK(words(100) == Words{0x3FFF});
  CHECK(words(100) == Words{});  // the bus is not used for what has not changed
  CHECK(words(-5) == Words{0x3800});
  b.runner->board().SetStimulus(100);
  CHECK(words(-5) == Words{});  // none until darkness is measured
}

TEST_CASE("esp32: the stimulus leaves on the second converter and as light, once darkness is measured") {
  EspBench b(v3_esp32s3::kProfileC);
  b.Set("stim_strength", 100);
  b.Set("stim_period", 100000);
  b.Steps(kDarkSteps - 30);
  CHECK(b.runner->board().dark_left() > 0);
  CHECK(chip.duties[b.Pin(esp32::kStimulusLight)] == 0);
  chip.dac_words.clear();
  b.Steps(60);
  CHECK(b.runner->board().dark_left() == 0);
  CHECK(chip.duties[b.Pin(esp32::kStimulusLight)] == 1023);
  CHECK(std::count(chip.dac_words.begin(), chip.dac_words.end(), 0xBFFF) == 1);
  b.Steps(150);
  CHECK(Lit(b, esp32::kStimulusRed));
  CHECK_FALSE(Lit(b, esp32::kStimulusBlue));
  b.Set("stim_strength", -100);
  chip.dac_words.clear();
  b.Steps(2);
  CHECK(std::count(chip.dac_words.begin(), chip.dac_words.end(), 0xB001) == 1);
  CHECK(chip.duties[b.Pin(esp32::kStimulusLight)] == 0);
  b.Steps(150);
  CHECK_FALSE(Lit(b, esp32::kStimulusRed));
  CHECK(Lit(b, esp32::kStimulusBlue));
}

TEST_CASE("esp32: the v2's own converters, with eight bits") {
  EspBench b(v2_esp32::kProfile);
  CHECK(chip.internal_dac[0] == std::vector<uint8_t>{0});
  CHECK(chip.internal_dac[1] == std::vector<uint8_t>{128});  // 0 %
  Show(&b, 100);
  CHECK(chip.internal_dac[0].back() == 255);
  Show(&b, -110);
  CHECK(chip.internal_dac[0].back() == 0);
  Show(&b, 30);
  CHECK(chip.internal_dac[0].back() == 170);
  b.Set("stim_strength", -100);
  b.Steps(kDarkSteps + 10);
  CHECK(chip.internal_dac[1].back() == 0);
  CHECK(chip.dac_words.empty());
}

TEST_CASE("esp32: a board without a converter drives none") {
  EspBench b(v3_esp32s3::kProfileA);
  b.Set("stim_strength", 100);
  b.Set("i_clamp", 20);
  b.Steps(3000);
  CHECK(chip.dac_words.empty());
  CHECK(chip.internal_dac.empty());
  CHECK(chip.cs.count(2) == 0);
  CHECK(chip.touched.count(3) == 0);
  CHECK(chip.touched.count(15) == 0);
}

TEST_CASE("esp32: a spike raises the axon, sounds where it may, and lights up white") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile);
    b.Set("i_clamp", 20);
    bool axon = false;
    bool sound = false;
    bool white = false;
    const auto watch = [&](int steps) {
      axon = sound = white = false;
      for (int k = 0; k < steps; ++k) {
        b.Step();
        axon = axon || chip.levels[b.Pin(esp32::kAxonPulse)];
        sound = sound || chip.levels[b.Pin(esp32::kBuzzer)];
        white = white || Lit(b, esp32::kVmRed);
      }
    };
    watch(3000);
    CHECK(axon);
    CHECK_FALSE(sound);
    CHECK(white);
    CHECK(Lit(b, esp32::kVmGreen));
    b.Set("buzzer", 1);
    watch(3000);
    CHECK(sound);
    b.Set("led", 0);
    b.Steps(200);
    watch(3000);
    CHECK_FALSE(white);
    CHECK_FALSE(Lit(b, esp32::kVmGreen));
    CHECK(axon);
    b.Set("buzzer", 0);
    b.Steps(10);
    watch(3000);
    CHECK_FALSE(sound);
  }
}

TEST_CASE("esp32: a synapse's potential is a voltage of 3.3 V at full scale, whatever the converter's reference") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile);
    // 3.3 V are all 4095 counts of a 3.3 V converter, and 2703 of a 5 V one.
    b.At("syn1_vm") = profile->adc_reference_mv == 5000 ? 2703 : 4095;
    b.At("syn2_vm") = 0;
    chip.levels[b.Pin(esp32::kSyn2Pulse)] = true;
    b.Steps(10);
    Inputs<float> inputs;
    b.runner->board().ReadInputs(&inputs);
    CHECK(inputs.syn1_vm_mv == doctest::Approx(100).epsilon(0.001));
    CHECK(inputs.syn2_vm_mv == -110);
    CHECK_FALSE(inputs.syn1_level);
    CHECK(inputs.syn2_level);
  }
}

TEST_CASE("esp32: light counts from the darkness that was measured at boot") {
  EspBench b(v3_esp32s3::kProfileB, 500);
  b.Steps(kDarkSteps);
  Inputs<float> inputs;
  b.runner->board().ReadInputs(&inputs);
  CHECK(inputs.photodiode_drive == 0);
  b.At("photodiode") = 700;
  b.Steps(60);
  b.runner->board().ReadInputs(&inputs);
  CHECK(inputs.photodiode_drive == doctest::Approx(5));
}

TEST_CASE("esp32: a button that bounces is one press") {
  esp32::Button button;
  int presses = 0;
  for (int k = 0; k < 100; ++k) presses += button.Update(k % 3 != 0, 1000);
  CHECK(presses == 0);
  for (int k = 0; k < 100; ++k) presses += button.Update(true, 1000);
  CHECK(presses == 1);
  for (int k = 0; k < 29; ++k) presses += button.Update(false, 1000);
  for (int k = 0; k < 100; ++k) presses += button.Update(true, 1000);
  CHECK(presses == 1);  // 29 ms up is a bounce
  for (int k = 0; k < 30; ++k) presses += button.Update(false, 1000);
  for (int k = 0; k < 30; ++k) presses += button.Update(true, 1000);
  CHECK(presses == 2);
}

TEST_CASE("esp32: the mode button goes through twelve presets, each with its light") {
  EspBench b(v2_esp32::kProfile);
  const esp32::PinRole leds[4] = {esp32::kModeLed1, esp32::kModeLed2, esp32::kModeLed3, esp32::kModeLed4};
  const std::string lit[12] = {"HL--", "LH--", "-HL-", "-LH-", "--HL", "--LH",
                               "H-L-", "L-H-", "-H-L", "-L-H", "H--L", "L--H"};
  for (int preset = 0; preset < 13; ++preset) {
    CHECK(b.Value("preset") == preset % 12);
    std::string shown;
    for (const esp32::PinRole led : leds) {
      const int pin = b.Pin(led);
      shown += chip.modes[pin] != FakeChip::Mode::kOutput ? '-' : (chip.levels[pin] ? 'H' : 'L');
    }
    CHECK(shown == lit[preset % 12]);
    Press(&b, esp32::kModeButton);
  }
  b.Set("preset", 15);
  b.Steps(2);
  for (const esp32::PinRole led : leds) CHECK(chip.modes[b.Pin(led)] == FakeChip::Mode::kInput);
}

TEST_CASE("esp32: the v3's buttons switch light and buzzer, and a host overrules them") {
  EspBench b(v3_esp32s3::kProfileC);
  CHECK(chip.modes[b.Pin(esp32::kLedButton)] == FakeChip::Mode::kInputPullDown);
  CHECK(b.Value("led") == 1);
  CHECK(b.Value("buzzer") == 0);
  Press(&b, esp32::kLedButton);
  Press(&b, esp32::kBuzzerButton);
  CHECK(b.Value("led") == 0);
  CHECK(b.Value("buzzer") == 1);
  b.Set("led", 0);
  Press(&b, esp32::kLedButton);
  CHECK(b.Value("led") == 0);
  b.device().parameters().Set(b.Index("led"), true, 0);
  CHECK(b.Value("led") == 1);  // pressed twice
}

TEST_CASE("esp32: hello says who it is; the busier core is the load") {
  EspBench b(v3_esp32s3::kProfileB);
  b.Steps(1);
  const std::vector<Hello> hellos = b.All<Hello>();
  REQUIRE(hellos.size() == 1);
  CHECK(std::string(hellos[0].board.data, hellos[0].board.size) == "v3-B");
  CHECK(std::vector<uint8_t>(hellos[0].unique_id.data, hellos[0].unique_id.data + hellos[0].unique_id.size) ==
        std::vector<uint8_t>{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5});
  CHECK(hellos[0].step_us == 100);
  chip.conversion_us = 34;
  const auto run = [&b] {
    for (int k = 0; k < 99; ++k) {
      const uint64_t due = chip.now_us;
      b.runner->io().Tick(due);
      b.runner->Once();
      chip.now_us = due + 100;
    }
  };
  run();
  b.runner->board().CpuPermille();
  run();
  // 23 conversions in twelve steps, 34 us each.
  const uint16_t load = b.runner->board().CpuPermille();
  CHECK(load >= 640);
  CHECK(load <= 690);
  CHECK(b.runner->board().CpuPermille() == 0);  // no time has passed
}

TEST_CASE("esp32: the converters' inputs, in the order of their channels, as the boards' public sources have them") {
  const auto order = [](const esp32::Profile& profile, uint8_t adc) {
    std::string names;
    for (uint8_t channel = 0; channel < 8; ++channel) {
      for (uint8_t i = 0; i < profile.n_inputs; ++i) {
        if (profile.inputs[i].chip != adc || profile.inputs[i].channel != channel) continue;
        names += std::to_string(channel) + " " + profile.inputs[i].name + ", ";
      }
    }
    return names;
  };
  CHECK(order(v2_esp32::kProfile, 0) ==
        "0 i_clamp_knob, 1 syn1_gain_knob, 2 syn2_gain_knob, 3 photo_gain_knob, 4 stim_strength_knob, "
        "5 stim_period_knob, 6 noise_sd_knob, ");
  CHECK(order(v2_esp32::kProfile, 1) == "0 syn1_vm, 1 syn2_vm, 2 photodiode, 3 current_in, ");
  CHECK(order(v3_esp32s3::kProfileA, 0) ==
        "0 syn1_vm, 1 syn1_gain_knob, 2 syn2_vm, 3 syn2_gain_knob, 4 current_in, 5 i_clamp_knob, 6 photodiode, "
        "7 photo_gain_knob, ");
  CHECK(order(v3_esp32s3::kProfileA, 1) ==
        "0 synapse_out_net, 1 stim_strength_knob, 2 stim_period_knob, 3 stimulus_out_net, 4 noise_sd_knob, ");
  CHECK(order(v3_esp32s3::kProfileB, 0) ==
        "0 syn1_vm, 1 syn1_gain_knob, 2 syn2_vm, 3 syn2_gain_knob, 4 current_in, 5 i_clamp_knob, ");
  CHECK(order(v3_esp32s3::kProfileB, 1) ==
        "0 photodiode, 1 photo_gain_knob, 2 noise_sd_knob, 3 stim_strength_knob, 4 stim_period_knob, ");
  CHECK(order(v3_esp32s3::kProfileC, 0) ==
        "0 syn1_gain_knob, 1 syn1_vm, 2 syn2_gain_knob, 3 syn2_vm, 4 photo_gain_knob, 5 photodiode, 6 i_clamp_knob, "
        "7 current_in, ");
  CHECK(order(v3_esp32s3::kProfileC, 1) == "0 noise_sd_knob, 1 stim_period_knob, 2 stim_strength_knob, ");
}
