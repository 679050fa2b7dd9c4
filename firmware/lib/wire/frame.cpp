#include "wire/frame.h"

#include "wire/crc32.h"

namespace spikedaq {
namespace wire {
namespace {

// CRC-32 over a message and its own CRC, whatever the message (protocol/README.md, section 2).
constexpr uint32_t kCrcResidue = 0x2144DF1Cu;

}  // namespace

size_t EncodeFrame(uint8_t* message, size_t n, uint8_t* out) {
  const uint32_t crc = Crc32(message, n);
  for (size_t k = 0; k < kCrcBytes; ++k) message[n + k] = static_cast<uint8_t>(crc >> (8 * k));
  const size_t size = CobsEncode(message, n + kCrcBytes, out);
  out[size] = 0;
  return size + 1;
}

FrameDecoder::Result FrameDecoder::Bad(BadReason reason) {
  reason_ = reason;
  ++bad_[static_cast<size_t>(reason)];
  return Result::kBad;
}

FrameDecoder::Result FrameDecoder::Take(uint8_t byte) {
  if (byte != 0) {
    if (skipping_) return Result::kNothing;
    if (size_ == capacity_) {
      skipping_ = true;
      return Bad(BadReason::kOversize);
    }
    memory_[size_++] = byte;
    return Result::kNothing;
  }
  const size_t size = size_;
  const bool skipped = skipping_;
  Restart();
  if (skipped || size == 0) return Result::kNothing;
  size_t decoded = 0;
  if (CobsDecode(memory_, size, memory_, &decoded) != Status::kOk) return Bad(BadReason::kCobs);
  if (decoded > max_bytes_) return Bad(BadReason::kOversize);
  if (decoded <= kCrcBytes) return Bad(BadReason::kShort);
  if (Crc32(memory_, decoded) != kCrcResidue) return Bad(BadReason::kCrc);
  message_ = Bytes{memory_, decoded - kCrcBytes};
  ++frames_;
  return Result::kMessage;
}

uint32_t FrameDecoder::bad_total() const {
  uint32_t total = 0;
  for (const uint32_t n : bad_) total += n;
  return total;
}

}  // namespace wire
}  // namespace spikedaq
