#include "neuron/neuron.h"

namespace spikedaq {

namespace {

// Below this a synaptic current is nothing (the wire's step is 0.01 a.u.), while the denormals that it would reach cost
// hundreds of cycles where floats are computed in software, and are flushed to zero on some units and not on others.
constexpr double kSmallestCurrent = 1e-9;

#ifdef SPIKEDAQ_WITHOUT_SYNAPSE_VM
// A board whose synapses have no analogue wire shows the potential of one that is silent, -110 mV.
constexpr int16_t kNoSynapseVmRaw = -11000;
#endif

// The presets are stored as float. Rounded to the multiple of 0.001 that they stand for, they give the nearest double
// to the published decimal in a double neuron, and the stored bits in a float one.
template <typename Real>
Real FromPreset(float value) {
  return static_cast<Real>(RoundHalfAway(value * 1000.0f)) / Real(1000);
}
template <>
inline float FromPreset<float>(float value) {
  return value;
}

// The sum, of which the second part mostly is 0, which costs nothing then.
template <typename Real>
__attribute__((noinline)) Real Plus(Real x, Real y) {
  return IsZero(y) ? x : x + y;
}

}  // namespace

template <typename Real>
void Neuron<Real>::Restart(const Noise& noise) {
  noise_ = noise;
  stimulus_ = Stimulus<Real>();
  Reset();
}

template <typename Real>
bool Neuron<Real>::SetPreset(uint8_t index) {
  if (index >= kPresetCount) return false;
  const Preset preset = PresetOf(index);
  SetCustom(FromPreset<Real>(preset.a), FromPreset<Real>(preset.b), FromPreset<Real>(preset.c),
            FromPreset<Real>(preset.d), FromPreset<Real>(preset.v_rest));
  parameters_.preset = index;
  return true;
}

template <typename Real>
void Neuron<Real>::SetCustom(Real a, Real b, Real c, Real d, Real v_rest) {
  parameters_.preset = kCustomPreset;
  parameters_.a = a;
  parameters_.b = b;
  parameters_.c = c;
  parameters_.d = d;
  parameters_.v_rest = v_rest;
  Rest();
}

template <typename Real>
void Neuron<Real>::Rest() {
  membrane_.v = parameters_.v_rest;
  membrane_.u = parameters_.b * membrane_.v;
  above_ = membrane_.v >= SpikeThreshold<Real>();
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  // What the controller has summed up was meant for another membrane.
  clamp_.Reset();
#endif
}

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
template <typename Real>
void Neuron<Real>::SetVoltageClamp(bool on, bool hold_here) {
  if (on == parameters_.voltage_clamp) return;
  parameters_.voltage_clamp = on;
  clamp_.Reset();
  if (on && hold_here) parameters_.v_hold = Clamp(membrane_.v, Real(kClampLowest), Real(kClampHighest));
}

template <typename Real>
void Neuron<Real>::SetHold(Real v_hold) {
  const Real hold = Clamp(v_hold, Real(kClampLowest), Real(kClampHighest));
  const Real change = hold - parameters_.v_hold;
  parameters_.v_hold = hold;
  if (change > HoldTolerance<Real>() || change < -HoldTolerance<Real>()) clamp_.Reset();
}
#endif

template <typename Real>
void Neuron<Real>::Reset() {
  Rest();
  syn1_.current = Real(0);
  syn2_.current = Real(0);
  photo_amplitude_ = Real(1);
}

template <typename Real>
void Neuron<Real>::ResetParameters() {
  parameters_ = Parameters<Real>();
  SetPreset(0);
  Reset();
}

template <typename Real>
Real Neuron<Real>::StepNoise() {
  // No draw while there is no noise: a silent neuron costs nothing, and its noise starts where it stopped.
  if (IsZero(parameters_.noise_sd) || !(parameters_.noise_sd > Real(0))) return Real(0);
  return Divided256(static_cast<Real>(noise_.Gaussian256())) * parameters_.noise_sd;
}

template <typename Real>
Real Neuron<Real>::StepPhotodiode(Real drive) {
  const Real gain = parameters_.photo_gain;
  Real current = Real(0);
  if (!IsZero(gain)) {
    current = drive * gain * photo_amplitude_;
    const Real magnitude = gain >= Real(0) ? current : -current;
    if (photo_amplitude_ > Real(0)) {
      photo_amplitude_ = photo_amplitude_ - parameters_.photo_decay * magnitude;
      // Also where it is no number any more.
      if (!(photo_amplitude_ > Real(0))) photo_amplitude_ = Real(0);
    }
  }
  if (photo_amplitude_ < Real(1)) photo_amplitude_ = photo_amplitude_ + parameters_.photo_recovery;
  return current;
}

template <typename Real>
Real Neuron<Real>::StepSynapse(bool level, Real gain, Real decay, Synapse* synapse) {
  // Once per rising edge. The stock firmware up to 2.5 adds on every step of a high line, about six times per spike.
  if (level && !synapse->level) synapse->current = synapse->current + gain;
  synapse->level = level;
  if (IsZero(synapse->current)) return Real(0);
  synapse->current = synapse->current * decay;
  const bool some = synapse->current > Real(kSmallestCurrent) || synapse->current < Real(-kSmallestCurrent);
  if (!some) synapse->current = Real(0);
  return synapse->current;
}

template <typename Real>
void Neuron<Real>::StepMembrane(Real current_in, Sample<Real>* s) {
  const Parameters<Real>& p = parameters_;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  if (p.voltage_clamp) {
    s->voltage_clamp = true;
    s->v_command = Clamp(p.v_hold + CommandStep(current_in), Real(kClampLowest), Real(kClampHighest));
    s->clamp_out = clamp_.Control(s->v_command, membrane_.v, p.vc_kp, p.vc_ki, p.vc_i_min, p.vc_i_max);
    s->i_total = s->clamp_out + s->photo_i + s->syn1_i + s->syn2_i + s->noise_i;
    Advance(p.a, p.b, s->i_total, &membrane_);
    clamp_.Guard(s->v_command, p.b, &membrane_);
    s->v = membrane_.v;
    s->vm = membrane_.v;
    s->spike = false;
    s->axon_level = false;
    above_ = membrane_.v >= SpikeThreshold<Real>();
    return;
  }
  s->voltage_clamp = false;
  s->v_command = Real(0);
  s->clamp_out = Real(0);
#endif
  s->i_total = Plus(Plus(Plus(Plus(Plus(p.i_clamp, current_in), s->photo_i), s->syn1_i), s->syn2_i), s->noise_i);
  EulerStep(p.a, p.b, p.c, p.d, s->i_total, &membrane_);

  const bool above = membrane_.v >= SpikeThreshold<Real>();
  s->v = membrane_.v;
  s->vm = above ? Real(30) : membrane_.v;
  s->spike = above && !above_;
  s->axon_level = above;
  above_ = above;
}

template <typename Real>
StimulusSample<Real> Neuron<Real>::PeekStimulus() const {
  Stimulus<Real> copy = stimulus_;
  return copy.Step(parameters_.stim_strength, parameters_.stim_period);
}

template <typename Real>
Sample<Real> Neuron<Real>::Step(const Inputs<Real>& inputs) {
  const Parameters<Real>& p = parameters_;
  Sample<Real> s;  // every field of it is set below: clearing it first costs an AVR 300 cycles

  s.noise_i = StepNoise();
  s.photo_i = StepPhotodiode(inputs.photodiode_drive);
  s.syn1_i = StepSynapse(inputs.syn1_level, p.syn1_gain, p.syn1_decay, &syn1_);
  s.syn2_i = StepSynapse(inputs.syn2_level, p.syn2_gain, p.syn2_decay, &syn2_);

  const StimulusSample<Real> stimulus = stimulus_.Step(p.stim_strength, p.stim_period);
  s.stimulus = stimulus.percent;
  s.trigger = stimulus.trigger;
  s.trigger_waveform = stimulus.trigger && stimulus.from_waveform;
  s.waveform_ended = stimulus.waveform_ended;
  s.loop = stimulus.loop;
  s.loops_played = stimulus.loops_played;

  StepMembrane(inputs.current_in, &s);
#ifndef SPIKEDAQ_WITHOUT_SYNAPSE_VM
  s.syn1_vm = inputs.syn1_vm_mv;
  s.syn2_vm = inputs.syn2_vm_mv;
#endif
  return s;
}

template <typename Real>
void ToRaw(const Sample<Real>& sample, int16_t (&out)[kChannelCount], bool* saturated) {
  const Real per_centi = Real(100);
  out[0] = Quantise(sample.vm, per_centi, saturated);
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  const bool clamped = sample.voltage_clamp;
  out[1] = clamped ? Quantise(sample.v_command, per_centi, saturated) : Quantise(sample.stimulus, saturated);
  out[2] = Quantise(clamped ? sample.clamp_out : sample.i_total, per_centi, saturated);
#else
  out[1] = Quantise(sample.stimulus, saturated);
  out[2] = Quantise(sample.i_total, per_centi, saturated);
#endif
#ifndef SPIKEDAQ_WITHOUT_SYNAPSE_VM
  out[3] = Quantise(sample.syn1_vm, per_centi, saturated);
  out[4] = Quantise(sample.syn1_i, per_centi, saturated);
  out[5] = Quantise(sample.syn2_vm, per_centi, saturated);
#else
  out[3] = out[5] = kNoSynapseVmRaw;
#endif
  out[6] = Quantise(sample.syn2_i, per_centi, saturated);
  out[7] = sample.trigger ? 1 : 0;
}

template class Neuron<float>;
template class Neuron<double>;
template void ToRaw<float>(const Sample<float>&, int16_t (&)[kChannelCount], bool*);
template void ToRaw<double>(const Sample<double>&, int16_t (&)[kChannelCount], bool*);

}  // namespace spikedaq
