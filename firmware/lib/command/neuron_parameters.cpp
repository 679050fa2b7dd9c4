#include "command/neuron_parameters.h"

#include "flash/flash.h"
#include "neuron/knobs.h"

namespace spikedaq {
namespace command {
namespace {

using wire::ParameterType;
using P = Parameters<float>;

constexpr ParameterType kFloat = ParameterType::kFloat;
constexpr ParameterType kInteger = ParameterType::kInteger;

// What the processor can hold.
#ifdef SPIKEDAQ_MIN_STEP_US
constexpr float kMinStepUs = SPIKEDAQ_MIN_STEP_US;
#else
constexpr float kMinStepUs = 10;
#endif

// Ranges hold every preset, every knob and every value of the stock GUI. i_clamp reaches beyond what the channel
// i_total can hold (+-327.67), as stock currents do; such blocks are flagged as saturated.
constexpr ParameterSpec kSpecs[NeuronParameters::kCount] SPIKEDAQ_FLASH = {
    {"preset", "1", kInteger, 0, kPresetCount - 1, 0, 0},
    {"a", "1", kFloat, 0, 2, 0.02f, 0},
    {"b", "1", kFloat, -2, 2, 0.2f, 0},
    {"c", "mV", kFloat, -110, 29, -65, 0},
    {"d", "1", kFloat, -100, 100, 6, 0},
    {"v_rest", "mV", kFloat, -110, 29, -70, 0},
    {"i_clamp", "a.u.", kFloat, -1000, 1000, 0, 0},
    {"noise_sd", "a.u.", kFloat, 0, 100, 0, 0},
    {"photo_gain", "1", kFloat, -25, 25, 0, 0},
    {"photo_decay", "1/step", kFloat, 0, 1, 0.001f, 0},
    {"photo_recovery", "1/step", kFloat, 0, 1, 0.025f, 0},
    {"syn1_gain", "a.u.", kFloat, -100, 100, 0, 0},
    {"syn1_decay", "1/step", kFloat, 0, 1, 0.995f, 0},
    {"syn2_gain", "a.u.", kFloat, -100, 100, 0, 0},
    {"syn2_decay", "1/step", kFloat, 0, 1, 0.990f, 0},
    {"stim_strength", "%", kFloat, -100, 100, 0, 0},
    {"stim_period", "step", kInteger, kMinStimulusPeriod, 1000000, 510, 0},
    {"step_us", "us", kInteger, kMinStepUs, 1000000, 100, 0},
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
    // The limits cannot cross: each stays on its side of 0.
    {"clamp_mode", "1", kInteger, 0, 1, 0, 0},
    {"v_hold", "mV", kFloat, kClampLowest, kClampHighest, -70, 0},
    {"vc_kp", "a.u./mV", kFloat, 0, 100, 7.5f, 0},
    {"vc_ki", "a.u./mV/ms", kFloat, 0, 100, 0.10f, 0},
    {"vc_i_min", "a.u.", kFloat, -1000, 0, -200, 0},
    {"vc_i_max", "a.u.", kFloat, 0, 1000, 300, 0},
    {"vc_span", "mV", kFloat, 0, 140, 70, 0},
#endif
};

}  // namespace

ParameterSpec NeuronParameters::Spec(uint8_t index) const {
  ParameterSpec spec = flash::Read(kSpecs[index]);
  if (index == kStepUs) spec.default_value = static_cast<float>(default_step_us_);
  // The patch knob is that of the holding potential, too.
  const uint8_t knob = index == kVHold ? uint8_t{kIClamp} : index;
  if (HasKnob(knob)) spec.flags |= wire::kParameterHasKnob;
  return spec;
}

float NeuronParameters::Base(uint8_t index) const {
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  if (index == kVHold && HasKnob(kIClamp)) {
    return HoldOfKnob(knob_[KnobSlot(kIClamp)], neuron_->parameters().v_rest, neuron_->parameters().vc_span);
  }
#endif
  return HasKnob(index) ? knob_[KnobSlot(index)] : Spec(index).default_value;
}

// Where a parameter that is a float is stored; nullptr for the others.
float* NeuronParameters::Field(uint8_t index) const {
  P& p = neuron_->parameters();
  switch (index) {
    case kA:
      return &p.a;
    case kB:
      return &p.b;
    case kC:
      return &p.c;
    case kD:
      return &p.d;
    case kVRest:
      return &p.v_rest;
    case kIClamp:
      return &p.i_clamp;
    case kNoiseSd:
      return &p.noise_sd;
    case kPhotoGain:
      return &p.photo_gain;
    case kPhotoDecay:
      return &p.photo_decay;
    case kPhotoRecovery:
      return &p.photo_recovery;
    case kSyn1Gain:
      return &p.syn1_gain;
    case kSyn1Decay:
      return &p.syn1_decay;
    case kSyn2Gain:
      return &p.syn2_gain;
    case kSyn2Decay:
      return &p.syn2_decay;
    case kStimStrength:
      return &p.stim_strength;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
    case kVHold:
      return &p.v_hold;
    case kVcKp:
      return &p.vc_kp;
    case kVcKi:
      return &p.vc_ki;
    case kVcIMin:
      return &p.vc_i_min;
    case kVcIMax:
      return &p.vc_i_max;
    case kVcSpan:
      return &p.vc_span;
#endif
    default:
      return nullptr;
  }
}

float NeuronParameters::Value(uint8_t index) const {
  const float* field = Field(index);
  if (field != nullptr) return *field;
  const P& p = neuron_->parameters();
  switch (index) {
    case kPreset:
      return p.preset;
    case kStimPeriod:
      return static_cast<float>(p.stim_period);
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
    case kClampMode:
      return p.voltage_clamp ? 1.0f : 0.0f;
#endif
    default:
      return static_cast<float>(step_us_);
  }
}

void NeuronParameters::Store(uint8_t index, float value) {
  P& p = neuron_->parameters();
  switch (index) {
    case kPreset:
      neuron_->SetPreset(static_cast<uint8_t>(value));
      break;
    case kStimPeriod:
      p.stim_period = static_cast<uint32_t>(value);
      break;
    case kStepUs:
      step_us_ = static_cast<uint32_t>(value);
      break;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
    case kClampMode:
      neuron_->SetVoltageClamp(value != 0, !host_holds_);
      break;
    case kVHold:
      host_holds_ = true;
      neuron_->SetHold(value);
      break;
#endif
    default:
      *Field(index) = value;
      // A change of those puts the neuron to rest.
      if (index <= kVRest) neuron_->SetCustom(p.a, p.b, p.c, p.d, p.v_rest);
      break;
  }
}

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
void NeuronParameters::HandBack(uint8_t index) {
  Store(index, Base(index));
  if (index == kVHold) host_holds_ = false;
}
#endif

// Knobs of parameters before this one.
uint8_t NeuronParameters::KnobSlot(uint8_t index) const {
  uint8_t slot = 0;
  uint32_t bits = has_knob_;
  for (; index > 0; --index, bits >>= 1) slot = static_cast<uint8_t>(slot + (bits & 1u));
  return slot;
}

void NeuronParameters::SetKnob(uint8_t index, float value) {
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  const bool turned = !HasKnob(index) || knob_[KnobSlot(index)] != value;
#endif
  const uint8_t slot = KnobSlot(index);
  if (!HasKnob(index)) {
    if (KnobSlot(kCount) == kMaxKnobs) return;  // the board was built for fewer knobs
    for (uint8_t k = kMaxKnobs - 1; k > slot; --k) knob_[k] = knob_[k - 1];
    has_knob_ |= uint32_t{1} << index;
  }
  knob_[slot] = value;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  // Only where it was turned: on entering voltage clamp the membrane is held where it is, wherever the knob stands.
  // The knob does not make the controller start anew, which would make each turn a series of jumps.
  if (index == kIClamp && turned && voltage_clamp() && !host_holds_) {
    neuron_->parameters().v_hold = Base(kVHold);
  }
#endif
}

bool NeuronParameters::KnobValue(uint8_t index, float counts, float* value) {
  switch (index) {
    case kIClamp:
      *value = PatchCurrent(counts);
      return true;
    case kNoiseSd:
      *value = NoiseSd(counts);
      return true;
    case kPhotoGain:
      *value = PhotoGain(counts);
      return true;
    case kSyn1Gain:
    case kSyn2Gain:
      *value = SynapseGain(counts);
      return true;
    case kStimStrength:
      *value = StimulusStrength(counts);
      return true;
    case kStimPeriod:
      *value = static_cast<float>(StimulusPeriod(counts));
      return true;
    default:
      return false;
  }
}

}  // namespace command
}  // namespace spikedaq
