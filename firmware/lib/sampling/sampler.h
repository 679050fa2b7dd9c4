/// Fills blocks with samples and never blocks the step: with every block full, samples are counted and discarded.
#ifndef SPIKEDAQ_SAMPLING_SAMPLER_H_
#define SPIKEDAQ_SAMPLING_SAMPLER_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/messages.h"
#include "wire/status.h"

namespace spikedaq {
namespace sampling {

/// Consecutive samples, but for their values.
struct BlockHead {
  uint64_t first_step;
  uint32_t first_tick;  ///< Microseconds, the low 32 bits, as on the wire.
  uint32_t step_us;
  uint16_t n;
  uint8_t flags;  ///< wire::kBlockSaturated and so on.
};

/// Samples that were discarded one after the other.
struct Overrun {
  uint64_t first_step;
  uint32_t first_tick;
  uint32_t n_samples;
};

/// A ring of blocks: samples go in at one end, full blocks come out at the other.
class Sampler {
 public:
  /// @param[in] heads     `n_blocks` of them; at least 2, for one is open while another is sent.
  /// @param[in] values    Room for n_blocks * capacity * n_channels values.
  /// @param[in] capacity  The most samples that a block can hold.
  constexpr Sampler(BlockHead* heads, int16_t* values, uint16_t n_blocks, uint16_t capacity, uint8_t n_channels)
      : heads_(heads), values_(values), n_blocks_(n_blocks), capacity_(capacity), n_channels_(n_channels) {}

  /// From the next sample on there are blocks of `block_samples` (1 to capacity). Closes the open block.
  void Start(uint16_t block_samples);
  /// Closes the open block; samples are no longer taken.
  void Stop();
  /// Forgets all blocks and counters, as at boot.
  void Clear();

  /// Takes one sample. Steps must be consecutive while the sampler runs.
  ///
  /// @param[in] tick       Device time of the sample, in microseconds.
  /// @param[in] step_us    Time to the next sample; a change closes the open block.
  /// @param[in] values     One value per channel.
  /// @param[in] flags      Of this sample: kBlockSaturated where some value was cut, kBlockVoltageClamp, a change of
  ///                       which closes the open block, too.
  /// @returns
  /// * kOk: stored, or the sampler is stopped.
  /// * kExhausted: every block is full; the sample is counted and discarded.
  ///
  /// Constant time, no allocation.
  Status Push(const uint64_t& step, const uint64_t& tick, uint32_t step_us, const int16_t* values, uint8_t flags);

  /// Says that there was no time for `n` steps from this one on: their samples are counted as an overrun, and the block
  /// that was open is closed.
  void Skip(uint64_t step, uint64_t tick, uint32_t n);

  /// Whether `Push` would store a sample with this step_us and these flags.
  bool HasRoom(uint32_t step_us, uint8_t flags = 0) const;
  /// Samples that the open block still takes; 0 where none is open.
  uint16_t open_room() const {
    return open_ != nullptr ? static_cast<uint16_t>(block_samples_ - open_->n) : uint16_t{0};
  }

  /// Number of closed blocks, oldest first to be sent.
  uint16_t closed() const { return static_cast<uint16_t>(used_ - (open_ != nullptr ? 1 : 0)); }
  const BlockHead& oldest() const { return heads_[first_]; }
  /// The `oldest().n` values of one channel of the oldest block.
  const int16_t* oldest_channel(uint8_t channel) const { return Values(first_) + channel * capacity_; }
  /// Every block is closed or open: the next to be opened would be an overrun.
  bool full() const { return used_ == n_blocks_; }
  /// Gives the oldest block's memory back.
  void Release();

  /// An overrun that is over and has not been taken yet. @returns false where there is none.
  bool TakeOverrun(Overrun* overrun);
  bool overrun_ended() const { return overrun_ended_; }

  bool running() const { return running_; }
  uint16_t block_samples() const { return block_samples_; }
  uint16_t capacity() const { return capacity_; }
  uint8_t n_channels() const { return n_channels_; }
  uint32_t overruns() const { return overruns_; }
  uint32_t overrun_samples() const { return overrun_samples_; }

 private:
  // `k` is at most the number of blocks. A remainder would cost a small processor a hundred cycles.
  uint16_t Slot(uint16_t k) const {
    const uint16_t slot = static_cast<uint16_t>(first_ + k);
    return slot < n_blocks_ ? slot : static_cast<uint16_t>(slot - n_blocks_);
  }
  int16_t* Values(uint16_t slot) { return values_ + static_cast<size_t>(slot) * capacity_ * n_channels_; }
  const int16_t* Values(uint16_t slot) const { return values_ + static_cast<size_t>(slot) * capacity_ * n_channels_; }
  /// Whether a sample belongs into the open block.
  bool FitsOpen(uint32_t step_us, uint8_t flags) const {
    return open_ != nullptr && open_->step_us == step_us && ((open_->flags ^ flags) & wire::kBlockVoltageClamp) == 0;
  }
  void EndOverrun();

  BlockHead* heads_;
  int16_t* values_;
  uint16_t n_blocks_;
  uint16_t capacity_;
  uint8_t n_channels_;
  uint16_t block_samples_ = 1;
  uint16_t first_ = 0;             // Slot of the oldest block.
  uint16_t used_ = 0;              // Blocks closed or open.
  BlockHead* open_ = nullptr;      // That of the newest, while it takes samples,
  int16_t* next_value_ = nullptr;  // the next of its first channel here.
  bool running_ = false;
  uint8_t next_flags_ = 0;
  bool overrunning_ = false;
  bool overrun_ended_ = false;
  Overrun overrun_ = {};
  Overrun ended_ = {};
  uint32_t overruns_ = 0;
  uint32_t overrun_samples_ = 0;
};

/// The bytes that a block message adds to its payload, at most.
constexpr size_t kBlockOverhead = 48;
/// The most samples whose block fits a frame.
constexpr size_t MaxBlockSamples(size_t n_channels) {
  return (wire::kMaxDeviceFrameBytes - wire::kCrcBytes - kBlockOverhead) / (2 * n_channels);
}

}  // namespace sampling
}  // namespace spikedaq

#endif  // SPIKEDAQ_SAMPLING_SAMPLER_H_
