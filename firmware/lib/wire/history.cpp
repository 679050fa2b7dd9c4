#include "wire/history.h"

#include <string.h>

namespace spikedaq {
namespace wire {

void History::Clear() {
  first_ = 0;
  n_ = 0;
  used_ = 0;
  end_ = 0;
  n_requests_ = 0;
  misses_ = 0;
}

void History::DropOldest() {
  used_ -= Entry(0).size;
  first_ = Slot(1);
  --n_;
  ++oldest_seq_;
}

void History::Keep(uint32_t seq, const uint8_t* frame, size_t n) {
  if (capacity_ == 0) return;
  // An entry's size is a u16; no frame of a device comes near that (kMaxDeviceFrameBytes).
  if (n > n_bytes_ || n > UINT16_MAX) {
    n_ = 0;
    used_ = 0;
    return;
  }
  if (n_ == capacity_) DropOldest();
  while (n > n_bytes_ - used_) DropOldest();
  if (n_ == 0) oldest_seq_ = seq;
  entries_[Slot(n_)] = HistoryEntry{static_cast<uint32_t>(end_), static_cast<uint16_t>(n)};
  ++n_;
  const size_t to_end = n_bytes_ - end_;
  const size_t before_wrap = n < to_end ? n : to_end;
  memcpy(bytes_ + end_, frame, before_wrap);
  memcpy(bytes_, frame + before_wrap, n - before_wrap);
  end_ = n < to_end ? end_ + n : n - to_end;
  used_ += n;
}

uint16_t History::Request(uint32_t first_seq, uint16_t count) {
  // Numbers are modulo 2^32: those asked for and those held are compared by their distance from the oldest held.
  const int32_t begin = static_cast<int32_t>(first_seq - oldest_seq_);
  const int32_t end = begin < INT32_MAX - count ? begin + count : INT32_MAX;
  const int32_t from = begin > 0 ? begin : 0;
  const int32_t to = end < n_ ? end : n_;
  const uint16_t held = static_cast<uint16_t>(to > from ? to - from : 0);
  misses_ += static_cast<uint32_t>(count - held);
  if (held > 0) Add(Range{oldest_seq_ + static_cast<uint32_t>(from), held});
  return held;
}

void History::Add(Range range) {
  for (uint8_t k = 0; k < n_requests_; ++k) {
    // The host repeats itself: what waits already is not sent twice, and what follows it comes after it.
    Range& waiting = requests_[k];
    const uint32_t skipped = range.first_seq - waiting.first_seq;
    if (skipped > waiting.count) continue;
    const uint32_t end = skipped + range.count;
    if (end > UINT16_MAX) continue;
    if (end > waiting.count) waiting.count = static_cast<uint16_t>(end);
    return;
  }
  if (n_requests_ == kMaxRequests) DropRequest();
  requests_[n_requests_++] = range;
}

void History::DropRequest() {
  --n_requests_;
  memmove(requests_, requests_ + 1, n_requests_ * sizeof requests_[0]);
}

bool History::Next(HistoryFrame* frame) {
  while (n_requests_ > 0) {
    Range& range = requests_[0];
    uint32_t k = range.first_seq - oldest_seq_;
    for (; range.count > 0 && k >= n_; ++k) {
      ++range.first_seq;
      --range.count;
      ++misses_;
    }
    if (range.count == 0) {
      DropRequest();
      continue;
    }
    const HistoryEntry& entry = Entry(static_cast<uint16_t>(k));
    const size_t to_end = static_cast<size_t>(n_bytes_ - entry.offset);
    const size_t before_wrap = entry.size < to_end ? entry.size : to_end;
    *frame = HistoryFrame{bytes_ + entry.offset, before_wrap, bytes_, entry.size - before_wrap};
    return true;
  }
  return false;
}

void History::Sent() {
  Range& range = requests_[0];
  ++range.first_seq;
  if (--range.count == 0) DropRequest();
}

}  // namespace wire
}  // namespace spikedaq
