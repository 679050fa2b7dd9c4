#include "esp32/esp_board.h"

#include <string.h>

#include "esp32/hal.h"

// Given by platformio.ini, by git where the firmware is built from a clone.
#ifndef SPIKEDAQ_VERSION
#define SPIKEDAQ_VERSION "0.0.0"
#endif
#ifndef SPIKEDAQ_BUILD_HASH
#define SPIKEDAQ_BUILD_HASH "unknown"
#endif

namespace spikedaq {
namespace esp32 {
namespace {

// The chip's own converters have 8 bits.
constexpr uint8_t EightBits(uint16_t code) { return static_cast<uint8_t>((code * 255u + kAdcMax / 2) / kAdcMax); }

// The presets that the mode button goes through: one per mode LED.
constexpr float kModes = 12;

struct PinName {
  PinRole role;
  const char* name;
};
constexpr PinName kPinNames[] = {
    {kSyn1Pulse, "syn1_pulse"}, {kSyn2Pulse, "syn2_pulse"},       {kModeButton, "mode_button"},
    {kLedButton, "led_button"}, {kBuzzerButton, "buzzer_button"},
};

}  // namespace

EspBoard::EspBoard(const Profile& profile, Io* io)
    : profile_(profile),
      io_(io),
      panel_(profile.pins.Has(kLedButton), profile.pins.Has(kBuzzerButton)),
      lights_(profile) {}

void EspBoard::Begin() {
  for (uint8_t i = 0; i < profile_.n_inputs; ++i) counts_[i] = io_->first_count(i);
  hal::UniqueId(unique_id_);
  hal::LinkBegin();
  lights_.Begin();
  hal::Output(profile_.pins.at[kAxonPulse], false);
  if (profile_.dac == Dac::kInternal) {
    hal::InternalDacBegin(0);
    hal::InternalDacBegin(1);
    internal_stimulus_ = EightBits(kAdcCentre);
    hal::InternalDacWrite(0, internal_axon_);
    hal::InternalDacWrite(1, internal_stimulus_);
  }
  cpu_at_us_ = hal::Microseconds();
}

board::Identity EspBoard::Who() const {
  return {wire::TextOf(SPIKEDAQ_VERSION), wire::TextOf(SPIKEDAQ_BUILD_HASH), wire::TextOf(profile_.name),
          wire::Bytes{unique_id_, sizeof unique_id_}, wire::kProtocolMajor};
}

uint64_t EspBoard::Tick() { return hal::Microseconds(); }

size_t EspBoard::Write(const uint8_t* bytes, size_t n) { return hal::LinkWrite(bytes, n); }

size_t EspBoard::Read(uint8_t* bytes, size_t n) {
  if (read_begin_ == read_end_) {
    read_begin_ = 0;
    read_end_ = hal::LinkRead(read_, sizeof read_);
  }
  const size_t there = read_end_ - read_begin_;
  const size_t taken = n < there ? n : there;
  memcpy(bytes, read_ + read_begin_, taken);
  read_begin_ += taken;
  return taken;
}

void EspBoard::Configure(command::ParameterTable* table, command::NeuronParameters* neuron) {
  table_ = table;
  neuron_ = neuron;
  preset_ = table->Find(wire::TextOf("preset"));
  led_ = table->Find(wire::TextOf("led"));
  buzzer_ = table->Find(wire::TextOf("buzzer"));
  inputs_ = {};
  photodiode_ = {};
  current_in_ = {};
  dark_sum_ = 0;
  dark_left_ = kDarkConversions;
  mode_ = 0;
  panel_.ResetButtons();
  table->FollowKnob(static_cast<uint8_t>(led_));
  table->FollowKnob(static_cast<uint8_t>(buzzer_));
  if (profile_.pins.Has(kModeButton)) neuron_->SetKnob(static_cast<uint8_t>(preset_), mode_);
  // The converters work by now, so knobs start where they stand.
  for (uint8_t i = 0; i < profile_.n_inputs; ++i) {
    if (profile_.inputs[i].use != Use::kKnob) continue;
    const wire::Text parameter = wire::TextOf(profile_.inputs[i].parameter);
    const bool is_noise = strcmp(profile_.inputs[i].parameter, "noise_sd") == 0;
    knobs_[i].filter = KnobFilter<float>(is_noise ? kNoiseKnobDeadband : kKnobDeadband);
    knobs_[i].counts = -1;
    knobs_[i].parameter = table->Find(parameter);
    TakeCount(i, counts_[i]);
  }
  lights_.ShowMode(table_->Value(static_cast<uint8_t>(preset_)));
}

float EspBoard::JackCounts(uint16_t raw) const {
  const float counts = static_cast<float>(raw) * profile_.adc_reference_mv / profile_.jack_full_mv;
  return Clamp(counts, 0.0f, static_cast<float>(kAdcMax));
}

void EspBoard::MeasureDark(uint16_t raw) {
  dark_sum_ += raw;
  if (--dark_left_ == 0) photodiode_.SetDark(static_cast<float>(dark_sum_) / kDarkConversions);
}

void EspBoard::TurnKnob(uint8_t input, uint16_t raw) {
  Knob& knob = knobs_[input];
  const float counts = knob.filter.Update(raw);
  if (knob.parameter < 0 || counts == knob.counts) return;
  knob.counts = counts;
  const uint8_t index = static_cast<uint8_t>(knob.parameter);
  float value = 0;
  if (!command::NeuronParameters::KnobValue(index, counts, &value)) return;
  neuron_->SetKnob(index, value);
  table_->FollowKnob(index);
}

void EspBoard::TakeCount(uint8_t input, uint16_t raw) {
  counts_[input] = raw;
  switch (profile_.inputs[input].use) {
    case Use::kPhotodiode:
      if (dark_left_ > 0) return MeasureDark(raw);
      inputs_.photodiode_drive = photodiode_.Update(raw);
      return;
    case Use::kCurrentIn:
      inputs_.current_in = current_in_.Update(static_cast<uint16_t>(JackCounts(raw)));
      return;
    case Use::kSyn1Vm:
      inputs_.syn1_vm_mv = SynapseVm(JackCounts(raw));
      return;
    case Use::kSyn2Vm:
      inputs_.syn2_vm_mv = SynapseVm(JackCounts(raw));
      return;
    case Use::kKnob:
      return TurnKnob(input, raw);
    case Use::kMonitor:
      return;
  }
}

void EspBoard::TakeLevels(uint32_t levels) {
  inputs_.syn1_level = (levels >> kSyn1Pulse & 1u) != 0;
  inputs_.syn2_level = (levels >> kSyn2Pulse & 1u) != 0;
  const uint32_t step_us = neuron_->step_us();
  if (mode_button_.Update((levels >> kModeButton & 1u) != 0, step_us)) {
    mode_ = mode_ + 1 < kModes ? mode_ + 1 : 0;
    neuron_->SetKnob(static_cast<uint8_t>(preset_), mode_);
    table_->FollowKnob(static_cast<uint8_t>(preset_));
  }
  if (led_button_.Update((levels >> kLedButton & 1u) != 0, step_us)) {
    panel_.Press(PanelParameters::kLed);
    table_->FollowKnob(static_cast<uint8_t>(led_));
  }
  if (buzzer_button_.Update((levels >> kBuzzerButton & 1u) != 0, step_us)) {
    panel_.Press(PanelParameters::kBuzzerOn);
    table_->FollowKnob(static_cast<uint8_t>(buzzer_));
  }
}

void EspBoard::SetStimulus(float percent) {
  // Darkness is measured in the dark.
  const float shown = dark_left_ > 0 ? 0.0f : percent;
  stimulus_percent_ = shown;
  lights_.SetStimulusLight(StimulusDuty(shown));
  const uint16_t code = StimulusCode(shown);
  if (profile_.dac == Dac::kMcp4922) io_->SetStimulus(code);
  if (profile_.dac == Dac::kInternal && EightBits(code) != internal_stimulus_) {
    internal_stimulus_ = EightBits(code);
    hal::InternalDacWrite(1, internal_stimulus_);
  }
}

void EspBoard::ReadInputs(Inputs<float>* inputs) {
  for (uint8_t k = 0; k < kConversionsPerStep; ++k) {
    if (frame_.inputs[k] != kNoInput) TakeCount(frame_.inputs[k], frame_.counts[k]);
  }
  TakeLevels(frame_.levels);
  *inputs = inputs_;
}

void EspBoard::SetOutputs(const board::Outputs& outputs) {
  const Sample<float>& sample = outputs.sample;
  const uint16_t code = AxonCode(sample.vm);
  if (profile_.dac == Dac::kMcp4922) io_->SetAxon(code);
  if (profile_.dac == Dac::kInternal && EightBits(code) != internal_axon_) {
    internal_axon_ = EightBits(code);
    hal::InternalDacWrite(0, internal_axon_);
  }
  if (sample.axon_level != axon_level_) {
    axon_level_ = sample.axon_level;
    hal::Write(profile_.pins.at[kAxonPulse], axon_level_);
  }
  lights_.Step(sample.vm, sample.axon_level, stimulus_percent_, neuron_->step_us(), panel_);
  lights_.ShowMode(table_->Value(static_cast<uint8_t>(preset_)));
}

// Of the two cores, the busier.
uint16_t EspBoard::CpuPermille() {
  const uint64_t now = hal::Microseconds();
  const uint32_t elapsed = static_cast<uint32_t>(now - cpu_at_us_);
  const uint32_t io_busy = io_->busy_us();
  const uint32_t io_used = io_busy - io_busy_us_;
  const uint32_t used = busy_us_ > io_used ? busy_us_ : io_used;
  cpu_at_us_ = now;
  busy_us_ = 0;
  io_busy_us_ = io_busy;
  if (elapsed == 0) return 0;
  const uint64_t permille = uint64_t{used} * 1000 / elapsed;
  return static_cast<uint16_t>(permille > 1000 ? 1000 : permille);
}

bool EspBoard::ReadProbe(uint8_t index, board::Probe* probe) {
  const uint32_t step_us = neuron_ == nullptr ? 0 : neuron_->step_us();
  if (index < profile_.n_inputs) {
    const uint16_t raw = counts_[index];
    const float volts = static_cast<float>(raw) * profile_.adc_reference_mv * 0.001f / 4096.0f;
    *probe = {wire::TextOf(profile_.inputs[index].name), raw, volts, wire::TextOf("V"),
              io_->rotation().PeriodSteps(index) * step_us};
    return true;
  }
  uint8_t left = static_cast<uint8_t>(index - profile_.n_inputs);
  for (const PinName& pin : kPinNames) {
    if (!profile_.pins.Has(pin.role)) continue;
    if (left-- != 0) continue;
    const bool level = (frame_.levels >> pin.role & 1u) != 0;
    *probe = {wire::TextOf(pin.name), level, level ? 1.0f : 0.0f, wire::TextOf("1"), step_us};
    return true;
  }
  return false;
}

}  // namespace esp32
}  // namespace spikedaq
