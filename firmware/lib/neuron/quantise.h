/// From values in units to the int16 of the wire.
#ifndef SPIKEDAQ_NEURON_QUANTISE_H_
#define SPIKEDAQ_NEURON_QUANTISE_H_

#include <stdint.h>

namespace spikedaq {

constexpr int16_t kRawMax = 32767;

/// Rounds half away from zero, without libm. The magnitude must be below 2^31.
template <typename Real>
constexpr int32_t RoundHalfAway(Real value) {
  // Adding 0.5 and truncating is wrong for the number just below 0.5, whose sum with 0.5 rounds to 1.
  const int32_t whole = static_cast<int32_t>(value);
  const Real rest = value - static_cast<Real>(whole);
  if (rest >= Real(0.5)) return whole + 1;
  if (rest <= Real(-0.5)) return whole - 1;
  return whole;
}

/// Rounds value * per_lsb_inverse half away from zero, saturating at +-32767; NaN gives 0.
///
/// @param[in] per_lsb_inverse  Raw steps per unit: 100 for a channel of 0.01 mV.
/// @param[out] saturated       Set where the value was cut; never cleared, so that one flag serves many values.
template <typename Real>
constexpr int16_t Quantise(Real value, Real per_lsb_inverse, bool* saturated) {
  const Real scaled = value * per_lsb_inverse;
  if (scaled != scaled) return 0;
  if (scaled >= Real(32767.5)) {
    *saturated = true;
    return kRawMax;
  }
  if (scaled <= Real(-32767.5)) {
    *saturated = true;
    return static_cast<int16_t>(-kRawMax);
  }
  return static_cast<int16_t>(RoundHalfAway(scaled));
}

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_QUANTISE_H_
