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
  const bool fits = n <= n_bytes_ && n <= UINT16_MAX;
  if (n_ == capacity_) DropOldest();
  while (fits && n > n_bytes_ - used_) DropOldest();
  if (n_ == 0) oldest_seq_ = seq;
  entries_[Slot(n_)] = HistoryEntry{static_cast<uint32_t>(end_), static_cast<uint16_t>(fits ? n : 0)};
  ++n_;
  if (!fits) return;
  const size_t to_end = n_bytes_ - end_;
  const size_t before_wrap = n < to_end ? n : to_end;
  memcpy(bytes_ + end_, frame, before_wrap);
  memcpy(bytes_, frame + before_wrap, n - before_wrap);
  end_ = n < to_end ? end_ + n : n - to_end;
  used_ += n;
}

bool History::Find(uint32_t seq, uint16_t* k) const {
  const uint32_t at = seq - oldest_seq_;  // modulo 2^32, as numbers wrap
  if (at >= n_) return false;
  *k = static_cast<uint16_t>(at);
  return Entry(*k).size > 0;
}

uint16_t History::Request(uint32_t first_seq, uint16_t count) {
  for (uint8_t k = 0; k < n_requests_; ++k) {
    // The host repeats itself: what waits already is not sent twice.
    const Range& range = requests_[k];
    const uint32_t skipped = first_seq - range.first_seq;
    if (skipped < range.count && count <= range.count - skipped) return count;
  }
  if (n_requests_ == kMaxRequests) return 0;
  // Only frames that are held are looked at, so that 65,535 frames cost no more than the depth.
  uint16_t found = 0, k = 0;
  Range range = {0, 0};
  for (uint16_t at = 0; at < n_; ++at) {
    const uint32_t seq = oldest_seq_ + at;
    if (static_cast<uint32_t>(seq - first_seq) >= count || !Find(seq, &k)) continue;
    if (found++ == 0) range.first_seq = seq;
    range.count = static_cast<uint16_t>(seq - range.first_seq + 1);
  }
  misses_ += static_cast<uint32_t>(count - found);
  if (found > 0) requests_[n_requests_++] = range;
  return found;
}

void History::DropRequest() {
  --n_requests_;
  memmove(requests_, requests_ + 1, n_requests_ * sizeof requests_[0]);
}

bool History::Next(HistoryFrame* frame) {
  while (n_requests_ > 0) {
    Range& range = requests_[0];
    uint16_t k = 0;
    for (; range.count > 0 && !Find(range.first_seq, &k); ++range.first_seq, --range.count) {
      // One that never was held was counted when it was asked for.
      if (static_cast<uint32_t>(range.first_seq - oldest_seq_) >= n_) ++misses_;
    }
    if (range.count == 0) {
      DropRequest();
      continue;
    }
    const HistoryEntry& entry = Entry(k);
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
