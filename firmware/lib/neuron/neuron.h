/// A Spikeling's neuron: one Step() over plain structs.
///
/// Freestanding: no heap, no libm, no exceptions. Real is float on boards; double is for tests. Compile with
/// -ffp-contract=off, so that float gives the same bits on every target.
#ifndef SPIKEDAQ_NEURON_NEURON_H_
#define SPIKEDAQ_NEURON_NEURON_H_

#include <stddef.h>
#include <stdint.h>

#include "neuron/izhikevich.h"
#include "neuron/noise.h"
#include "neuron/presets.h"
#include "neuron/quantise.h"
#include "neuron/stimulus.h"
#include "neuron/voltage_clamp.h"

namespace spikedaq {

constexpr size_t kChannelCount = 8;

/// From this potential on, in mV, vm shows 30, the axon is high, and a step upwards is a spike.
template <typename Real>
constexpr Real SpikeThreshold() {
  return Real(-30);
}

/// What a host or a knob can set. Names, units and meanings are those of protocol/README.md, section 4.3; the defaults
/// are those of the newest stock firmware with every knob at rest.
template <typename Real>
struct Parameters {
  uint8_t preset = 0;
  Real a = Real(0.02);
  Real b = Real(0.2);
  Real c = Real(-65);
  Real d = Real(6);
  Real v_rest = Real(-70);
  Real i_clamp = Real(0);
  Real noise_sd = Real(0);
  Real photo_gain = Real(0);
  Real photo_decay = Real(0.001);
  Real photo_recovery = Real(0.025);
  Real syn1_gain = Real(0);
  Real syn1_decay = Real(0.995);
  Real syn2_gain = Real(0);
  Real syn2_decay = Real(0.990);
  Real stim_strength = Real(0);
  uint32_t stim_period = 510;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  bool voltage_clamp = false;
  Real v_hold = Real(-70);
  Real vc_kp = Real(7.5);
  Real vc_ki = Real(0.10);
  Real vc_i_min = Real(-200);
  Real vc_i_max = Real(300);
  Real vc_span = Real(70);
#endif
};

/// What the jacks and the photodiode say at one step (jacks.h makes these from ADC counts).
template <typename Real>
struct Inputs {
  Real photodiode_drive = Real(0);  ///< Light above dark, 0 to 10.
  Real current_in = Real(0);        ///< a.u.; in voltage clamp it shifts the command (CommandStep).
  bool syn1_level = false;          ///< A rising edge is a presynaptic spike.
  bool syn2_level = false;
#ifndef SPIKEDAQ_WITHOUT_SYNAPSE_VM
  Real syn1_vm_mv = Real(-110);  ///< Shown only; the model does not use it.
  Real syn2_vm_mv = Real(-110);
#endif
};

/// What one step gives. The first eight are the channels of protocol/README.md, section 4.2.
template <typename Real>
struct Sample {
  Real vm;        ///< mV; 30 on every step with v >= -30, else v. In voltage clamp always v.
  Real stimulus;  ///< %.
  Real i_total;   ///< a.u.; the current that made this step.
#ifndef SPIKEDAQ_WITHOUT_SYNAPSE_VM
  Real syn1_vm;  ///< mV.
  Real syn2_vm;  ///< mV.
#endif
  Real syn1_i;   ///< a.u.
  Real syn2_i;   ///< a.u.
  bool trigger;  ///< First step of a stimulus loop.

  Real v;                 ///< The model's potential, mV.
  Real photo_i;           ///< a.u.
  Real noise_i;           ///< a.u.
  bool spike;             ///< v >= -30 for the first time since it was below; never in voltage clamp.
  bool axon_level;        ///< v >= -30; never in voltage clamp.
  bool trigger_waveform;  ///< With trigger: a loop of a waveform, not a period of the square wave.
  bool waveform_ended;    ///< First step after a waveform: run out, stopped, or replaced.
  uint32_t loop;          ///< Number, since boot and from 0, of the stimulus loop that this step belongs to.
  uint32_t loops_played;  ///< With waveform_ended: number of its loops that were begun.

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  bool voltage_clamp;  ///< The step was made in voltage clamp. The next two are 0 otherwise.
  Real v_command;      ///< mV; channel 1 in voltage clamp.
  Real clamp_out;      ///< a.u.; output of the controller, channel 2 in voltage clamp.
#endif
};

/// Whether a sample was taken in voltage clamp; false in a firmware without one.
template <typename Real>
inline bool InVoltageClamp(const Sample<Real>& sample) {
#ifdef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  static_cast<void>(sample);
  return false;
#else
  return sample.voltage_clamp;
#endif
}

/// One neuron with its noise, photodiode, two synapses and stimulus generator.
template <typename Real>
class Neuron {
 public:
  /// A neuron of preset 0 at rest. The noise can be given as its seed.
  explicit constexpr Neuron(const Noise& noise) : noise_(noise) {}

  /// Starts noise and stimulus afresh and puts the neuron to rest; leaves the parameters alone.
  void Restart(const Noise& noise);

  /// Parameters that act from the next step on. Do not write preset, a, b, c, d or v_rest here: a change of those puts
  /// the neuron to rest, which SetPreset and SetCustom do. Nor
  /// voltage_clamp: see SetVoltageClamp. A host's v_hold goes through SetHold, a knob's is written here.
  Parameters<Real>& parameters() { return parameters_; }
  const Parameters<Real>& parameters() const { return parameters_; }

  /// Copies a preset and puts the neuron to rest: v to v_rest, u to b * v. False, and nothing changed, for a bad index.
  bool SetPreset(uint8_t index);

  /// Makes the neuron a custom one and puts it to rest.
  void SetCustom(Real a, Real b, Real c, Real d, Real v_rest);

  /// Puts the neuron to rest: v to v_rest, u to b * v, no synaptic current, photodiode not adapted, the controller of
  /// the voltage clamp anew. Leaves the parameters, the stimulus and the noise alone.
  void Reset();

  /// All parameters to their defaults; the neuron to rest.
  void ResetParameters();

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  /// Goes to voltage clamp, the controller starting anew, or back to current clamp; nothing if it is there already.
  ///
  /// @param[in] hold_here  On entering: hold the membrane where it is.
  void SetVoltageClamp(bool on, bool hold_here);

  /// Sets the holding potential, in mV, kept within -110 and 30. More than HoldTolerance from the present one, the
  /// controller starts anew.
  void SetHold(Real v_hold);
#endif

  /// Advances the model by one step (0.1 ms of model time). Constant time, no allocation.
  Sample<Real> Step(const Inputs<Real>& inputs);

  /// The stimulus that the next Step will give, so that a looped-back output can be an input of the same step.
  StimulusSample<Real> PeekStimulus() const;

  /// See Stimulus (stimulus.h) for these.
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  void SetWaveform(const int16_t* rows_centipercent, uint32_t n_rows) {
    stimulus_.SetWaveform(rows_centipercent, n_rows);
  }
  bool PlayWaveform(bool loop) { return stimulus_.PlayWaveform(loop); }
  void StopWaveform() { stimulus_.StopWaveform(); }
  bool waveform_playing() const { return stimulus_.waveform_playing(); }
  uint32_t waveform_loops() const { return stimulus_.waveform_loops(); }
#endif
  uint32_t loops() const { return stimulus_.loops(); }

  const Membrane<Real>& membrane() const { return membrane_; }

 private:
  /// One synapse: current, and the level of its line at the step before.
  struct Synapse {
    Real current = Real(0);
    bool level = false;
  };

  void Rest();
  static Real StepSynapse(bool level, Real gain, Real decay, Synapse* synapse);
  Real StepPhotodiode(Real drive);
  Real StepNoise();
  void StepMembrane(Real current_in, Sample<Real>* s);

  Parameters<Real> parameters_;
  Membrane<Real> membrane_ = {parameters_.v_rest, parameters_.b * parameters_.v_rest};
  Synapse syn1_;
  Synapse syn2_;
  Real photo_amplitude_ = Real(1);
  bool above_ = false;
  Noise noise_;
  Stimulus<Real> stimulus_;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  VoltageClamp<Real> clamp_;
#endif
};

/// Writes the eight channels in the order and units of protocol/README.md, section 4.2: those of voltage clamp for a
/// sample taken in it.
///
/// @param[out] saturated  Set where a value was cut at +-32767; never cleared.
template <typename Real>
void ToRaw(const Sample<Real>& sample, int16_t (&out)[kChannelCount], bool* saturated);

extern template class Neuron<float>;
extern template class Neuron<double>;
extern template void ToRaw<float>(const Sample<float>&, int16_t (&)[kChannelCount], bool*);
extern template void ToRaw<double>(const Sample<double>&, int16_t (&)[kChannelCount], bool*);

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_NEURON_H_
