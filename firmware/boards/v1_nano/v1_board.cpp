#include "v1_board.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#include "profile.h"
#include "uart.h"

namespace spikedaq {
namespace v1 {
namespace {

using command::NeuronParameters;

constexpr uint8_t kDebounceMs = 30;
constexpr uint8_t kDarkCounts = 200;
// 400 counts on each of ten are a drive of 10.
constexpr uint16_t kFullLight = 400 * Light::kMean;
constexpr float kDrivePerCount = 10.0f / kFullLight;
// Of analogue-in, per count of the 12-bit scale beyond the dead zone: 5 V give 191 a.u.
constexpr float kCurrentPerCount = 0.05f;

inline void Set(uint8_t pin, bool high) {
  if (high) {
    SetHigh(pin);
  } else {
    SetLow(pin);
  }
}

// A knob's count as the maps of neuron/knobs.h expect it: more where it is turned up.
inline uint16_t KnobCount(uint8_t input) {
  const uint16_t count = converter::Scaled(converter::Count(static_cast<converter::Input>(input)));
  return kProfile.knobs_inverted ? static_cast<uint16_t>(kAdcMax - count) : count;
}

}  // namespace

void Light::Take(uint16_t count) {
  sum_ = static_cast<uint16_t>(sum_ - counts_[next_] + count);
  counts_[next_] = count;
  next_ = static_cast<uint8_t>(next_ + 1 == kMean ? 0 : next_ + 1);
}

float Light::Drive() const {
  if (sum_ <= dark_) return 0;
  const uint16_t above = static_cast<uint16_t>(sum_ - dark_);
  return static_cast<float>(above < kFullLight ? above : kFullLight) * kDrivePerCount;
}

bool Knob::Take(uint16_t raw, uint8_t deadband) {
  uint16_t low = last_[0], high = last_[1];
  if (low > high) low = last_[1], high = last_[0];
  const uint16_t median = empty_ ? raw : raw < low ? low : raw > high ? high : raw;
  last_[0] = last_[1];
  last_[1] = raw;
  if (empty_) last_[0] = raw;
  const int16_t target = static_cast<int16_t>(8 * median);
  const int16_t away = static_cast<int16_t>(target - smooth_);
  // 3/16, for the 0.2 of the other boards.
  smooth_ = empty_ ? target : static_cast<int16_t>(smooth_ + (away >> 3) + (away >> 4));
  const uint16_t count = static_cast<uint16_t>(smooth_ >> 3);
  const uint16_t moved =
      count > output_ ? static_cast<uint16_t>(count - output_) : static_cast<uint16_t>(output_ - count);
  if (!empty_ && moved < deadband) return false;
  empty_ = false;
  output_ = count;
  return true;
}

void V1Board::Begin() {
  MakeOutput(kProfile.axon);
  MakeOutput(kProfile.vm_led);
  MakeOutput(kProfile.vm_out);
  MakeOutput(kProfile.lamp);
  // Timer 2: 62.5 kHz PWM for what is smoothed to the membrane potential.
  TCCR2A = _BV(COM2A1) | _BV(WGM21) | _BV(WGM20);
  TCCR2B = _BV(CS20);
  ReadUniqueId(unique_id_);
  converter::Begin();
  uint32_t dark = 0;
  for (uint8_t k = 0; k < kDarkCounts; ++k) dark += converter::Scaled(converter::ReadNow(converter::kPhotodiode));
  light_.SetDark(static_cast<uint16_t>(dark / (kDarkCounts / Light::kMean)));
  timer::Begin();
  uart::Begin();
  SMCR = 0;  // idle: every interrupt wakes
}

void V1Board::StartSteps() {
  timer::ReleaseSteps();
  sei();
}

board::Identity V1Board::Who() const {
  return {wire::TextOf(SPIKEDAQ_VERSION), wire::TextOf(SPIKEDAQ_BUILD_HASH), wire::TextOf("v1"),
          wire::Bytes{unique_id_, sizeof unique_id_}, wire::kProtocolMajor};
}

size_t V1Board::Write(const uint8_t* bytes, size_t n) {
  return uart::Write(bytes, static_cast<uint8_t>(n < UINT8_MAX ? n : UINT8_MAX));
}

size_t V1Board::Read(uint8_t* bytes, size_t n) {
  return uart::Read(bytes, static_cast<uint8_t>(n < UINT8_MAX ? n : UINT8_MAX));
}

void V1Board::ReadInputs(Inputs<float>* inputs) {
  light_.Take(converter::Scaled(converter::Count(converter::kPhotodiode)));
  if (neuron_->Value(NeuronParameters::kPhotoGain) != 0) inputs->photodiode_drive = light_.Drive();
  const uint16_t in = converter::Scaled(converter::Count(converter::kAnalogueIn));
  if (in > kDeadZone) inputs->current_in = static_cast<float>(in - kDeadZone) * kCurrentPerCount;
  inputs->syn1_level = IsHigh(kProfile.syn1);
  inputs->syn2_level = IsHigh(kProfile.syn2);
  converter::StartSequence();  // for the next step
}

void V1Board::SetOutputs(const board::Outputs& outputs) {
  Set(kProfile.axon, outputs.sample.axon_level);
  Set(kProfile.lamp, outputs.sample.axon_level);
  // vm in 0.01 mV: -110 to 100 mV are 0 to 255 at the output, -110 to 30 mV dark to bright at the LED.
  const uint16_t above = outputs.raw[0] <= -11000 ? 0 : static_cast<uint16_t>(outputs.raw[0] + 11000);
  const uint16_t level = above >= 21000 ? 0xFF00 : static_cast<uint16_t>((above >> 6) * 199u);
  OCR2A = static_cast<uint8_t>(level >> 8);
  timer::SetLed(above >= 14000 ? timer::kTop - 1 : above >> 3);
}

void V1Board::Configure(command::ParameterTable* table, command::NeuronParameters* neuron) {
  table_ = table;
  neuron_ = neuron;
  tick_at_boot_ = timer::FirstDueIn(20);
  for (uint8_t k = 0; k < converter::kKnobs; ++k) FollowKnob(static_cast<uint8_t>(converter::kFastInputs + k));
}

void V1Board::FollowKnob(uint8_t input) {
  Knob& knob = knobs_[input - converter::kFastInputs];
  const uint8_t deadband = input == converter::kNoiseKnob ? uint8_t{kNoiseKnobDeadband} : uint8_t{kKnobDeadband};
  if (!knob.Take(KnobCount(input), deadband)) return;
  const float counts = knob.count();
  uint8_t index = NeuronParameters::kIClamp;
  float value = 0;
  if (input == converter::kNoiseKnob) {
    index = NeuronParameters::kNoiseSd;
    value = NoiseSd(counts);
  } else {
    if (input == converter::kSyn1Knob) index = NeuronParameters::kSyn1Gain;
    if (input == converter::kSyn2Knob) index = NeuronParameters::kSyn2Gain;
    value = Bipolar(counts, index == NeuronParameters::kIClamp ? 200.0f : 50.0f);
  }
  timer::HoldSteps();
  neuron_->SetKnob(index, value);
  table_->FollowKnob(index);
  timer::ReleaseSteps();
}

void V1Board::FollowButton() {
  if (IsHigh(kProfile.button) == pressed_) {
    pressed_ms_ = 0;
    return;
  }
  if (++pressed_ms_ < kDebounceMs) return;
  pressed_ms_ = 0;
  pressed_ = !pressed_;
  if (!pressed_) return;
  const uint8_t index = NeuronParameters::kPreset;
  const uint8_t now = static_cast<uint8_t>(table_->Value(index));
  const uint8_t next = static_cast<uint8_t>(now + 1 < kPresetCount ? now + 1 : 0);
  timer::HoldSteps();
  neuron_->SetKnob(index, next);
  table_->FollowKnob(index);
  timer::ReleaseSteps();
}

void V1Board::Poll() {
  const uint8_t knob = converter::TakeFreshKnob();
  if (knob < converter::kInputs) FollowKnob(knob);
  const uint8_t ms = timer::Millisecond();
  if (ms == polled_ms_) return;
  polled_ms_ = ms;
  FollowButton();
}

void V1Board::Idle() {
  cli();
  if (uart::HasInput()) {
    sei();
    return;
  }
  asleep_since_ = timer::Counts();
  asleep_ = true;
  SMCR = _BV(SE);
  sei();  // takes effect after the next instruction, so no interrupt comes before the sleep
  sleep_cpu();
  SMCR = 0;
  cli();
  WokenUp();
  sei();
}

void V1Board::WokenUp() {
  if (!asleep_) return;
  asleep_ = false;
  // Less than a period, for the counter's wrap wakes, too.
  const uint16_t now = timer::Counts();
  idle_ += now >= asleep_since_ ? now - asleep_since_ : now + timer::kTop - asleep_since_;
}

uint16_t V1Board::CpuPermille() {
  const uint8_t status = SREG;
  cli();
  const uint32_t now = timer::HalfTick();
  const uint32_t idle = idle_;
  idle_ = 0;
  SREG = status;
  const uint32_t thousandth = (now - idle_since_) / 1000;
  idle_since_ = now;
  const uint32_t share = thousandth == 0 ? 0 : idle / thousandth;
  return static_cast<uint16_t>(share > 1000 ? 0 : 1000 - share);
}

}  // namespace v1
}  // namespace spikedaq
