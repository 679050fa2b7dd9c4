#include "wire/transmitter.h"

#include <string.h>

namespace spikedaq {
namespace wire {

Status Transmitter::Commit(const Writer& writer) {
  if (!writer.ok() || !HasRoom(writer.size())) return Status::kExhausted;
  Compact(FrameBound(writer.size()));
  const size_t n = EncodeFrame(scratch_, writer.size(), ring_ + end_);
  if (history() != nullptr) history()->Keep(seq_, ring_ + end_, n);
  end_ += n;
  ++seq_;
  ++frames_;
  return Status::kOk;
}

Status Transmitter::SendAgain(const HistoryFrame& frame, size_t spare) {
  if (frame.size() + spare > ring_bytes_ - size()) return Status::kExhausted;
  Compact(frame.size());
  memcpy(ring_ + end_, frame.first, frame.first_size);
  memcpy(ring_ + end_ + frame.first_size, frame.second, frame.second_size);
  end_ += frame.size();
  ++frames_;
  return Status::kOk;
}

void Transmitter::Compact(size_t n) {
  if (n <= ring_bytes_ - end_) return;
  memmove(ring_, ring_ + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

void Transmitter::SendZero() {
  if (end_ < ring_bytes_) ring_[end_++] = 0, ++frames_;
}

void Transmitter::Taken(size_t n) {
  for (size_t k = begin_; k < begin_ + n; ++k) {
    mid_frame_ = ring_[k] != 0;
    if (!mid_frame_) --frames_;
  }
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = 0;
}

void Transmitter::DropPartialFrame() {
  if (!mid_frame_) return;
  size_t n = 0;
  while (n < size() && ring_[begin_ + n] != 0) ++n;
  Taken(n < size() ? n + 1 : n);
  mid_frame_ = false;
}

}  // namespace wire
}  // namespace spikedaq
