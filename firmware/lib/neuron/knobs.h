/// From knobs to parameters: the maps and filters of the newest stock firmware (v3.1), as pure functions.
///
/// A knob's raw count is that of a 12-bit converter, 0 to 4095. Bipolar knobs rest at 2048 and have a dead zone.
#ifndef SPIKEDAQ_NEURON_KNOBS_H_
#define SPIKEDAQ_NEURON_KNOBS_H_

#include <stdint.h>

#include "neuron/quantise.h"

namespace spikedaq {

constexpr int kAdcMax = 4095;
constexpr int kAdcCentre = 2048;

/// A fifteenth of the range, in counts.
constexpr int kDeadZone = 273;

/// Least change of a filtered knob that counts as a turn, in counts; the noise knob's is smaller.
constexpr int kKnobDeadband = 6;
constexpr int kNoiseKnobDeadband = 2;

/// x with the dead zone cut out: 0 within it, counted from its edge outside it.
template <typename Real>
constexpr Real CutDeadZone(Real x) {
  if (x >= Real(kDeadZone)) return x - Real(kDeadZone);
  if (x <= Real(-kDeadZone)) return x + Real(kDeadZone);
  // Also where it is no number.
  return Real(0);
}

/// x kept within [low, high]; low where it is no number.
template <typename Real>
constexpr Real Clamp(Real x, Real low, Real high) {
  return x > high ? high : (x > low ? x : low);
}

/// What a knob with its rest in the middle gives, if its whole range is `range`.
template <typename Real>
constexpr Real Bipolar(Real counts, Real range) {
  return CutDeadZone(counts - Real(kAdcCentre)) * range / Real(kAdcMax);
}

/// Injected current from the patch knob: -86.69 to 86.64 a.u.
template <typename Real>
constexpr Real PatchCurrent(Real counts) {
  return Bipolar(counts, Real(200));
}

/// Gain of the photodiode: -10.84 to 10.83.
template <typename Real>
constexpr Real PhotoGain(Real counts) {
  return Bipolar(counts, Real(25));
}

/// Current added per presynaptic spike: -21.67 to 21.66 a.u.
template <typename Real>
constexpr Real SynapseGain(Real counts) {
  return Bipolar(counts, Real(50));
}

/// Standard deviation of the noise current: 0 to 11.67 a.u. This is what the stock firmware means to give; it gives the
/// square of it over sqrt(2), for it hands the variance to a function that wants something else.
template <typename Real>
constexpr Real NoiseSd(Real counts) {
  return counts > Real(kDeadZone) ? (counts - Real(kDeadZone)) * Real(25) / Real(kAdcMax) / Real(2) : Real(0);
}

/// Strength of the square wave: whole percent, -100 to 100.
template <typename Real>
constexpr Real StimulusStrength(Real counts) {
  const Real percent = CutDeadZone(counts - Real(kAdcCentre)) * Real(100) / Real(kAdcMax - kAdcCentre - kDeadZone);
  return Clamp(static_cast<Real>(RoundHalfAway(percent)), Real(-100), Real(100));
}

/// Period of the square wave in steps, from the frequency knob: 1010 at its lowest frequency, 10 at its highest.
template <typename Real>
constexpr uint32_t StimulusPeriod(Real counts) {
  const Real faster = CutDeadZone(counts - Real(kAdcCentre)) * Real(100) / Real(kAdcCentre - kDeadZone);
  const Real steps = Real(510) - Real(5) * static_cast<Real>(RoundHalfAway(faster));
  return static_cast<uint32_t>(Clamp(steps, Real(2), Real(1010)));
}

/// What every knob passes through: the median of three counts, a low pass, and a deadband, so that a knob at rest gives
/// one number for ever and a turned one gives no echo of a single bad conversion.
template <typename Real>
class KnobFilter {
 public:
  explicit constexpr KnobFilter(int deadband = kKnobDeadband) : deadband_(static_cast<Real>(deadband)) {}

  /// Takes one count, gives the filtered one. The first count passes as it is.
  Real Update(uint16_t raw);

  Real value() const { return output_; }

 private:
  Real deadband_;
  Real smooth_ = Real(0);
  Real output_ = Real(0);
  uint16_t last_[2] = {0, 0};
  bool empty_ = true;
};

extern template class KnobFilter<float>;
extern template class KnobFilter<double>;

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_KNOBS_H_
