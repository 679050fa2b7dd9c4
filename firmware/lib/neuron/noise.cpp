#include "neuron/noise.h"

namespace spikedaq {

namespace {

uint64_t SplitMix64(uint64_t* state) {
  *state += 0x9E3779B97F4A7C15u;
  uint64_t z = *state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

constexpr uint32_t RotateLeft(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

constexpr int16_t SumOfBytes(uint32_t x) {
  return static_cast<int16_t>((x & 0xFF) + ((x >> 8) & 0xFF) + ((x >> 16) & 0xFF) + (x >> 24));
}

}  // namespace

Noise::Noise(uint64_t seed) {
  // Two outputs of splitmix64 in a row are never both 0, so the state is not the all-zero one, which would stay so.
  for (int i = 0; i < 4; i += 2) {
    const uint64_t bits = SplitMix64(&seed);
    state_[i] = static_cast<uint32_t>(bits);
    state_[i + 1] = static_cast<uint32_t>(bits >> 32);
  }
}

uint32_t Noise::Next() {
  uint32_t* s = state_;
  const uint32_t result = RotateLeft(s[0] + s[3], 7) + s[0];
  const uint32_t t = s[1] << 9;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = RotateLeft(s[3], 11);
  return result;
}

int16_t Noise::Gaussian256() {
  // 12 bytes of mean 127.5 each.
  int16_t sum = SumOfBytes(Next());
  sum = static_cast<int16_t>(sum + SumOfBytes(Next()));
  sum = static_cast<int16_t>(sum + SumOfBytes(Next()));
  return static_cast<int16_t>(sum - 1530);
}

}  // namespace spikedaq
