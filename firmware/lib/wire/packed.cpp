#include "wire/packed.h"

namespace spikedaq {
namespace wire {
namespace {

// The difference modulo 2^16 as an unsigned number: 0, -1, 1, -2 become 0, 1, 2, 3.
inline uint16_t Zigzag(int16_t from, int16_t to) {
  const uint16_t d = static_cast<uint16_t>(static_cast<uint16_t>(to) - static_cast<uint16_t>(from));
  const uint16_t doubled = static_cast<uint16_t>(d << 1);
  return (d & 0x8000u) != 0 ? static_cast<uint16_t>(~doubled) : doubled;
}

inline uint16_t Unzigzag(uint16_t z) {
  const uint16_t half = static_cast<uint16_t>(z >> 1);
  return (z & 1u) != 0 ? static_cast<uint16_t>(~half) : half;
}

}  // namespace

uint8_t PackedWidth(const int16_t* values, uint16_t n) {
  uint16_t bits = 0;
  for (uint16_t k = 1; k < n; ++k) bits = static_cast<uint16_t>(bits | Zigzag(values[k - 1], values[k]));
  uint8_t width = 0;
  for (; bits != 0; bits = static_cast<uint16_t>(bits >> 1)) ++width;
  return width;
}

void PackChannel(const int16_t* values, uint16_t n, uint8_t width, uint8_t* out) {
  const uint16_t base = static_cast<uint16_t>(values[0]);
  *out++ = static_cast<uint8_t>(base);
  *out++ = static_cast<uint8_t>(base >> 8);
  *out++ = width;
  if (width == 0) return;
  uint32_t bits = 0;  // at most 7 that wait and 16 that come
  uint8_t n_bits = 0;
  for (uint16_t k = 1; k < n; ++k) {
    bits |= static_cast<uint32_t>(Zigzag(values[k - 1], values[k])) << n_bits;
    n_bits = static_cast<uint8_t>(n_bits + width);
    for (; n_bits >= 8; n_bits = static_cast<uint8_t>(n_bits - 8)) {
      *out++ = static_cast<uint8_t>(bits);
      bits >>= 8;
    }
  }
  if (n_bits > 0) *out = static_cast<uint8_t>(bits);
}

Status UnpackBlock(Bytes payload, uint16_t n, uint8_t n_channels, int16_t* values) {
  if (n == 0 || n_channels == 0) return Status::kMalformed;
  const uint8_t* in = payload.data;
  size_t left = payload.size;
  for (uint8_t channel = 0; channel < n_channels; ++channel) {
    if (left < kPackedHeadBytes || in[2] > kMaxPackedWidth) return Status::kMalformed;
    const uint8_t width = in[2];
    const size_t size = PackedBytes(n, width);
    if (left < size) return Status::kMalformed;
    uint16_t value = static_cast<uint16_t>(in[0] | (static_cast<uint16_t>(in[1]) << 8));
    *values++ = static_cast<int16_t>(value);
    const uint8_t* from = in + kPackedHeadBytes;
    const uint32_t mask = (uint32_t{1} << width) - 1;
    uint32_t bits = 0;
    uint8_t n_bits = 0;
    for (uint16_t k = 1; k < n; ++k) {
      for (; n_bits < width; n_bits = static_cast<uint8_t>(n_bits + 8))
        bits |= static_cast<uint32_t>(*from++) << n_bits;
      value = static_cast<uint16_t>(value + Unzigzag(static_cast<uint16_t>(bits & mask)));
      *values++ = static_cast<int16_t>(value);
      bits >>= width;
      n_bits = static_cast<uint8_t>(n_bits - width);
    }
    in += size;
    left -= size;
  }
  return left == 0 ? Status::kOk : Status::kMalformed;
}

}  // namespace wire
}  // namespace spikedaq
