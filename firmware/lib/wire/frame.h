/// Frames: COBS( message, CRC-32 little-endian ), 0x00. Source: protocol/README.md, section 2.
#ifndef SPIKEDAQ_WIRE_FRAME_H_
#define SPIKEDAQ_WIRE_FRAME_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/cobs.h"
#include "wire/msgpack.h"
#include "wire/status.h"

namespace spikedaq {
namespace wire {

constexpr size_t kCrcBytes = 4;
/// Message and CRC from device to host; a host discards what is longer.
constexpr size_t kMaxDeviceFrameBytes = 4096;
/// A hello, message and CRC, so that every board can hold one.
constexpr size_t kMaxHelloBytes = 240;

/// Size on the link of a frame whose message has `n` bytes, at most.
constexpr size_t FrameBound(size_t n) { return CobsBound(n + kCrcBytes) + 1; }

/// Makes a frame of a message.
///
/// @param[in,out] message  `n` bytes, followed by room for the CRC, which is written there.
/// @param[out]    out      Room for FrameBound(n) bytes; may overlap `message` as CobsEncode says.
/// @returns the number of bytes of the frame, with its closing 0x00.
size_t EncodeFrame(uint8_t* message, size_t n, uint8_t* out);

/// Why a frame was discarded. kMalformed is said by whoever reads the message, the others by the decoder.
enum class BadReason : uint8_t { kCobs = 0, kShort, kCrc, kMalformed, kOversize };
constexpr size_t kBadReasons = 5;

/// Cuts a stream of bytes into frames, whatever the pieces in which they come.
///
/// Bounded: what is longer than the memory allows is counted once and skipped up to the next 0x00.
class FrameDecoder {
 public:
  enum class Result : uint8_t { kNothing, kMessage, kBad };

  /// @param[in] memory     Room for CobsBound(max_bytes) bytes.
  /// @param[in] max_bytes  The longest message and CRC to accept.
  constexpr FrameDecoder(uint8_t* memory, size_t max_bytes)
      : memory_(memory), capacity_(CobsBound(max_bytes)), max_bytes_(max_bytes) {}

  /// Takes one byte. After kMessage, `message()` holds until the next call.
  Result Take(uint8_t byte);

  /// Forgets a frame that has begun, as after the link was opened anew.
  void Restart() { size_ = 0, skipping_ = false; }

  Bytes message() const { return message_; }
  BadReason reason() const { return reason_; }
  uint32_t frames() const { return frames_; }
  uint32_t bad(BadReason reason) const { return bad_[static_cast<size_t>(reason)]; }
  uint32_t bad_total() const;
  /// Counts a message that turned out not to be one.
  void CountMalformed() { ++bad_[static_cast<size_t>(BadReason::kMalformed)]; }

 private:
  Result Bad(BadReason reason);

  uint8_t* memory_;
  size_t capacity_;
  size_t max_bytes_;
  size_t size_ = 0;
  bool skipping_ = false;
  Bytes message_ = {nullptr, 0};
  BadReason reason_ = BadReason::kCobs;
  uint32_t frames_ = 0;
  uint32_t bad_[kBadReasons] = {};
};

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_FRAME_H_
