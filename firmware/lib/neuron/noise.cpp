#include "neuron/noise.h"

namespace spikedaq {

namespace {

// Steps of 8, which an 8-bit processor makes by moving bytes, and of 1.
constexpr uint32_t RotateLeft8(uint32_t x) { return (x << 8) | (x >> 24); }
constexpr uint32_t RotateLeft1(uint32_t x) { return (x << 1) | (x >> 31); }
inline uint32_t RotateRight1(uint32_t x) {
  const bool low = (x & 1u) != 0;
  x >>= 1;
  return low ? x | 0x80000000u : x;
}

constexpr int16_t SumOfBytes(uint32_t x) {
  return static_cast<int16_t>((x & 0xFF) + ((x >> 8) & 0xFF) + ((x >> 16) & 0xFF) + (x >> 24));
}

}  // namespace

// In the order in which an 8-bit processor can keep it in its registers.
uint32_t Noise::Next() {
  uint32_t a = state_[0];
  uint32_t d = state_[3];
  const uint32_t result = RotateRight1(RotateLeft8(a + d)) + a;  // rotated left by 7
  uint32_t b = state_[1];
  d ^= b;
  const uint32_t c = state_[2] ^ a;
  a ^= d;
  state_[0] = a;
  state_[1] = b ^ c;
  b = (b << 8) << 1;
  state_[2] = c ^ b;
  d = RotateLeft1(RotateLeft1(RotateLeft1(RotateLeft8(d))));  // by 11
  state_[3] = d;
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
