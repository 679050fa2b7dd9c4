/// The frames that were sent last, so that a host can have them again. Source: protocol/README.md, section 8.
#ifndef SPIKEDAQ_WIRE_HISTORY_H_
#define SPIKEDAQ_WIRE_HISTORY_H_

#include <stddef.h>
#include <stdint.h>

namespace spikedaq {
namespace wire {

/// Where a frame lies in the memory of a `History`.
struct HistoryEntry {
  uint32_t offset;
  uint16_t size;
};

/// A frame, which may lie in two pieces.
struct HistoryFrame {
  const uint8_t* first;
  size_t first_size;
  const uint8_t* second;
  size_t second_size;
  size_t size() const { return first_size + second_size; }
};

/// A ring of bytes with a ring of entries: the newest frames, whose numbers follow each other, and the requests for
/// some of them. Frames come in whole and are given out whole, so that none can be sent that is half overwritten.
class History {
 public:
  /// Requests that can wait. A host asks for one gap at a time, and for a second before the first is filled only if it
  /// has lost patience; with more than these the oldest is forgotten, for what was asked for last is what is wanted.
  static constexpr uint8_t kMaxRequests = 8;

  /// @param[in] bytes    Memory of the frames.
  /// @param[in] entries  As many as there may be frames: what hello states as resend_depth.
  History(uint8_t* bytes, size_t n_bytes, HistoryEntry* entries, uint16_t n_entries)
      : bytes_(bytes), n_bytes_(n_bytes), entries_(entries), capacity_(n_bytes > 0 ? n_entries : uint16_t{0}) {}

  /// The largest number of frames that can be held; 0 if none ever are.
  uint16_t depth() const { return capacity_; }

  /// Takes in a frame that is being sent for the first time. Its number must follow that of the frame before. One that
  /// is larger than the whole memory is not held, nor are those before it: what is held has no holes.
  void Keep(uint32_t seq, const uint8_t* frame, size_t n);
  /// Forgets frames, requests and counters, as at boot.
  void Clear();

  /// Asks for `count` frames from `first_seq` on. @returns the number of them that are held.
  uint16_t Request(uint32_t first_seq, uint16_t count);
  /// Forgets the requests: whoever asked is gone.
  void ForgetRequests() { n_requests_ = 0; }

  /// The frame to be sent again next. Those that were overwritten while they waited are passed over and counted.
  ///
  /// @returns false where none waits. The frame holds until the next call of any kind.
  bool Next(HistoryFrame* frame);
  /// What `Next` gave has been sent.
  void Sent();

  /// Frames that were asked for and not held, or no more when their turn came.
  uint32_t misses() const { return misses_; }
  uint16_t frames() const { return n_; }

 private:
  struct Range {
    uint32_t first_seq;
    uint16_t count;
  };

  const HistoryEntry& Entry(uint16_t k) const { return entries_[Slot(k)]; }
  uint16_t Slot(uint16_t k) const { return static_cast<uint16_t>((uint32_t{first_} + k) % capacity_); }
  void DropOldest();
  void DropRequest();
  void Add(Range range);

  uint8_t* bytes_;
  size_t n_bytes_;
  HistoryEntry* entries_;
  uint16_t capacity_;
  uint16_t first_ = 0;  // slot of the oldest entry
  uint16_t n_ = 0;
  uint32_t oldest_seq_ = 0;
  size_t used_ = 0;  // bytes, from the oldest entry's offset on
  size_t end_ = 0;   // where the next frame goes
  Range requests_[kMaxRequests] = {};
  uint8_t n_requests_ = 0;
  uint32_t misses_ = 0;
};

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_HISTORY_H_
