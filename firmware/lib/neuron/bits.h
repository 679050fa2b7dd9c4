/// The bits of a float, for what is cheaper asked of them than computed.
#ifndef SPIKEDAQ_NEURON_BITS_H_
#define SPIKEDAQ_NEURON_BITS_H_

#include <stdint.h>

namespace spikedaq {

// The builtin, for a freestanding compiler makes a call of memcpy, of fifty cycles on an AVR.
inline uint32_t BitsOf(float value) {
  uint32_t bits = 0;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// Whether a value is a finite number.
inline bool IsFinite(float value) { return (BitsOf(value) & 0x7F800000u) != 0x7F800000u; }
inline bool IsFinite(double value) { return value - value == 0; }

/// Whether a value is 0, of either sign.
inline bool IsZero(float value) { return (BitsOf(value) & 0x7FFFFFFFu) == 0; }
inline bool IsZero(double value) { return value == 0; }

/// A 256th of a whole number: what the product gives, by the exponent.
inline float Divided256(float whole) {
  const uint32_t bits = IsZero(whole) ? 0 : BitsOf(whole) - (uint32_t{8} << 23);
  float result = 0;
  __builtin_memcpy(&result, &bits, sizeof result);
  return result;
}
inline double Divided256(double whole) { return whole / 256; }

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_BITS_H_
