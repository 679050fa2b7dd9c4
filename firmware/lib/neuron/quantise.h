/// From values in units to the int16 of the wire.
#ifndef SPIKEDAQ_NEURON_QUANTISE_H_
#define SPIKEDAQ_NEURON_QUANTISE_H_

#include <stdint.h>

#include "neuron/bits.h"

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

/// What Quantise does with a float that has been scaled, by its bits: where floats are computed in software, five
/// comparisons, two conversions and a subtraction are 600 cycles, and seven channels of that a quarter of a step of 1
/// ms.
inline int16_t RoundSaturating(float scaled, bool* saturated) {
  const uint32_t bits = BitsOf(scaled);
  // bits >> 23 by one bit and a byte: an AVR shifts bit by bit.
  const uint16_t high = static_cast<uint16_t>(bits >> 16);
  const uint8_t exponent = static_cast<uint8_t>(static_cast<uint16_t>(high << 1) >> 8);
  if (exponent < 126) return 0;  // below 0.5
  // The significand has 24 bits, of which 9 to 24 are behind the point. The upper 16 are enough: what is cut off never
  // decides, for a half is rounded away from zero.
  uint16_t upper = static_cast<uint16_t>(bits >> 8) | 0x8000u;
  if (exponent > 141 || (exponent == 141 && upper == 0xFFFFu)) {  // from 32767.5 on
    if (exponent == 255 && (bits & 0x7FFFFFu) != 0) return 0;     // no number
    *saturated = true;
    upper = 0xFFFEu;
  } else {
    upper = static_cast<uint16_t>(upper >> (141 - exponent));
  }
  const int16_t magnitude = static_cast<int16_t>((upper + 1u) >> 1);
  return (bits & 0x80000000u) != 0 ? static_cast<int16_t>(-magnitude) : magnitude;
}

template <>
inline int16_t Quantise<float>(float value, float per_lsb_inverse, bool* saturated) {
  return IsZero(value) ? int16_t{0} : RoundSaturating(value * per_lsb_inverse, saturated);
}

/// The same for a channel whose raw unit is its unit.
inline int16_t Quantise(float value, bool* saturated) { return RoundSaturating(value, saturated); }
inline int16_t Quantise(double value, bool* saturated) { return Quantise(value, 1.0, saturated); }

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_QUANTISE_H_
