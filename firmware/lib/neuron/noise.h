/// Reproducible white noise without libm.
#ifndef SPIKEDAQ_NEURON_NOISE_H_
#define SPIKEDAQ_NEURON_NOISE_H_

#include <stdint.h>

namespace spikedaq {

/// A stream of random numbers that is the same on every target for the same seed.
///
/// The generator is xoshiro128++ (Blackman and Vigna, 2019; shifts and additions only, so cheap on 8 bits), seeded by
/// splitmix64 (Steele, Lea and Flood, 2014).
class Noise {
 public:
  explicit Noise(uint64_t seed);

  /// 32 uniform bits.
  uint32_t Next();

  /// One draw of mean 0 and standard deviation 0.9999924, in 1/256: integer, -1530 to 1530.
  ///
  /// It is the sum of 12 uniform bytes less its mean. A byte has variance (256^2 - 1) / 12, so the sum has 65535.
  /// Beyond 4 standard deviations the tails are thinner than those of a Gaussian; nothing lies beyond 5.98.
  int16_t Gaussian256();

 private:
  uint32_t state_[4];
};

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_NOISE_H_
