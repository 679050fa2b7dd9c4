// Any payload through the decoder of packed blocks: refused, or samples that encode to no more bytes and decode to the
// same again.
#include <vector>

#include "fuzz.h"
#include "sampling/block_encoder.h"
#include "wire/packed.h"

using fuzz::Require;
using namespace spikedaq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::CountBytes(size);
  if (size < 2) return 0;
  const uint16_t n = static_cast<uint16_t>(data[0] + 1);
  const uint8_t n_channels = static_cast<uint8_t>(data[1] % 8 + 1);
  // A copy of its own, so that a read beyond its end is seen.
  const std::vector<uint8_t> payload(data + 2, data + size);
  std::vector<int16_t> values(size_t{n} * n_channels), again(values.size());
  if (wire::UnpackBlock({payload.data(), payload.size()}, n, n_channels, values.data()) != Status::kOk) return 0;
  std::vector<uint8_t> packed;
  for (uint8_t channel = 0; channel < n_channels; ++channel) {
    const int16_t* from = values.data() + size_t{channel} * n;
    const uint8_t width = wire::PackedWidth(from, n);
    std::vector<uint8_t> bytes(wire::PackedBytes(n, width));
    wire::PackChannel(from, n, width, bytes.data());
    packed.insert(packed.end(), bytes.begin(), bytes.end());
  }
  Require(packed.size() <= payload.size());
  Require(wire::UnpackBlock({packed.data(), packed.size()}, n, n_channels, again.data()) == Status::kOk);
  Require(values == again);
  return 0;
}
