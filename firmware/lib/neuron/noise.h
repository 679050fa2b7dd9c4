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
  /// It can be made when the program is compiled, which spares a small processor 64-bit products.
  constexpr Noise(uint64_t seed) : state_{} {  // NOLINT(google-explicit-constructor): a seed stands for its stream
    // Two outputs of splitmix64 in a row are never both 0, so the state is not the all-zero one, which would stay so.
    for (int i = 0; i < 4; i += 2) {
      seed += 0x9E3779B97F4A7C15u;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      z ^= z >> 31;
      state_[i] = static_cast<uint32_t>(z);
      state_[i + 1] = static_cast<uint32_t>(z >> 32);
    }
  }

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
