/// The voltage clamp: a controller that injects whatever current keeps the membrane at a command potential.
///
/// Define SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP to leave the clamp, its parameters and its memory out of a firmware.
#ifndef SPIKEDAQ_NEURON_VOLTAGE_CLAMP_H_
#define SPIKEDAQ_NEURON_VOLTAGE_CLAMP_H_

#include <stdint.h>

#include "neuron/izhikevich.h"
#include "neuron/knobs.h"

namespace spikedaq {

#ifdef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
constexpr bool kHasVoltageClamp = false;
#else
constexpr bool kHasVoltageClamp = true;
#endif

/// No command potential lies outside these, and no membrane in voltage clamp leaves them. In mV.
constexpr int kClampLowest = -110;
constexpr int kClampHighest = 30;

/// A change of the holding potential by more than this, in mV, makes the controller start anew.
template <typename Real>
constexpr Real HoldTolerance() {
  return Real(0.05);
}

/// Holding potential that the patch knob stands for: v_rest in its dead zone, span above and below at its ends.
///
/// @param[in] patch_current  What the knob gives in current clamp (knobs.h), in a.u.; both come from the same counts.
template <typename Real>
constexpr Real HoldOfKnob(Real patch_current, Real v_rest, Real span) {
  const Real counts = patch_current * Real(kAdcMax) / Real(200);
  const Real share = Clamp(counts / Real(kAdcCentre - kDeadZone), Real(-1), Real(1));
  return Clamp(v_rest + share * span, Real(kClampLowest), Real(kClampHighest));
}

/// Step of the command potential that the current-in jack stands for, in mV: at most 70 either way; 0 for no number.
///
/// @param[in] current_in  What the jack gives in current clamp, in a.u.: a tenth of its counts beyond the dead zone.
template <typename Real>
constexpr Real CommandStep(Real current_in) {
  return current_in == current_in ? Clamp(current_in * Real(700) / Real(2047), Real(-70), Real(70)) : Real(0);
}

/// The controller with what it must remember. Source of its law, its limits and its rescue: stock firmware v3.1.
template <typename Real>
class VoltageClamp {
 public:
  /// Starts anew, as on entering voltage clamp.
  void Reset() {
    integral_ = Real(0);
    at_peak_ = 0;
  }

  /// Current to inject at this step, in a.u., kept within [i_min, i_max].
  ///
  /// The error is summed up after its step, and not while the output is cut and the error would push it further beyond
  /// its limit; so the sum cannot run away, and the output leaves the limit as soon as the error turns.
  ///
  /// @param[in] v_command, v  In mV.
  /// @param[in] kp, ki        In a.u./mV and a.u./mV/ms. With ki 0 nothing is summed up.
  Real Control(Real v_command, Real v, Real kp, Real ki, Real i_min, Real i_max);

  /// Keeps the membrane within -110 and 30 mV after a step. One that is no number any more, or that stayed at 30 for
  /// three steps, which the controller cannot get down, is put to the command potential and the controller starts anew.
  ///
  /// @returns whether the membrane had to be put there.
  bool Guard(Real v_command, Real b, Membrane<Real>* membrane);

 private:
  Real integral_ = Real(0);  // of the error, mV ms
  uint8_t at_peak_ = 0;      // steps in a row
};

extern template class VoltageClamp<float>;
extern template class VoltageClamp<double>;

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_VOLTAGE_CLAMP_H_
