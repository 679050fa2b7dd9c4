/// Damages a stream of bytes: the part of a bad cable that needs no clock.
///
/// What happens to a byte depends on the seed and on what came before it, not on how the stream is cut into calls.
#ifndef SPIKEDAQ_NATIVE_FAULT_STREAM_H_
#define SPIKEDAQ_NATIVE_FAULT_STREAM_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "fault_spec.h"

namespace spikedaq {
namespace native {

/// splitmix64 (Steele, Lea, Flood 2014): three lines that give the same numbers in every language.
class FaultRandom {
 public:
  explicit FaultRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  /// 0 < u <= 1.
  double Uniform() { return static_cast<double>((Next() >> 11) + 1) * (1.0 / 9007199254740992.0); }

 private:
  uint64_t state_;
};

/// Says of each of many things in turn whether it is hit. Draws once per hit, not once per thing.
class FaultDice {
 public:
  FaultDice(uint64_t seed, uint64_t which) : random_(seed * 16 + which) {}
  void SetRate(double rate);
  double rate() const { return rate_; }
  bool Hit();
  /// Passes over n things, none of which is hit; n <= misses().
  void Skip(uint64_t n) { misses_ -= rate_ > 0 ? n : 0; }
  /// Things before the next hit.
  uint64_t misses() const { return misses_; }

 private:
  void Draw();
  FaultRandom random_;
  double rate_ = 0;
  uint64_t misses_ = UINT64_MAX;
};

struct FaultCounts {
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t flipped_bits = 0;
  uint64_t dropped_bytes = 0;
  uint64_t dropped_frames = 0;
  uint64_t duplicated_frames = 0;
  uint64_t truncated_frames = 0;
};

class FaultStream {
 public:
  /// `direction` is 0 from the device to the host and 1 the other way, so that both are damaged apart.
  FaultStream(const FaultSpec& spec, uint64_t direction);

  /// Appends to `out` what comes out for these bytes. With faults of frames it holds back a frame until its 00.
  void Pass(const uint8_t* bytes, size_t n, std::vector<uint8_t>* out);
  /// Takes over the rates of a changed spec.
  void Change(const FaultSpec& spec);
  /// The next frames are lost.
  void Lose(uint64_t frames) { lose_ += frames; }
  /// Part of a frame that is held back is forgotten.
  void Restart() { frame_.clear(); }
  const FaultCounts& counts() const { return counts_; }

 private:
  // Longer than any frame: noise without a 00 passes in pieces of this size.
  static constexpr size_t kMaxFrameBytes = 8192;
  void EndFrame(std::vector<uint8_t>* out);
  void Emit(const uint8_t* bytes, size_t n, std::vector<uint8_t>* out);

  FaultDice flip_;
  FaultDice drop_;
  FaultDice drop_frame_;
  FaultDice duplicate_;
  FaultDice truncate_;
  FaultRandom cut_;
  bool framed_ = false;
  uint64_t lose_ = 0;
  std::vector<uint8_t> frame_;
  FaultCounts counts_;
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_FAULT_STREAM_H_
