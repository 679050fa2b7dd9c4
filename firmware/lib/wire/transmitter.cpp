#include "wire/transmitter.h"

#include <string.h>

namespace spikedaq {
namespace wire {

Writer Transmitter::Begin() {
  if (scratch_ != nullptr) return Writer(scratch_, scratch_bytes_ - kCrcBytes);
  Compact(ring_bytes_);
  open_ = true;
  const size_t taken = end_ + kInPlaceGap + kCrcBytes;
  const size_t capacity = taken < ring_bytes_ ? ring_bytes_ - taken : 0;
  return Writer(ring_ + end_ + kInPlaceGap, capacity < kMaxInPlaceBytes ? capacity : kMaxInPlaceBytes);
}

Writer Transmitter::Begin(MessageType type, uint8_t n_fields) {
  Writer w = Begin();
  w.Array(uint32_t{n_fields} + 2);
  w.Unsigned8(static_cast<uint8_t>(type));
  w.Unsigned32(seq_);
  return w;
}

Status Transmitter::Commit(const Writer& writer) {
  open_ = false;
  if (!writer.ok() || !HasRoom(writer.size())) return Status::kExhausted;
  uint8_t* message = scratch_;
  if (message == nullptr) {
    message = ring_ + end_ + kInPlaceGap;
  } else {
    Compact(FrameBound(writer.size()));
  }
  const size_t n = EncodeFrame(message, writer.size(), ring_ + end_);
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
  if (n == 0) return;
  const uint8_t* byte = ring_ + begin_;
  begin_ += n;
  uint16_t frames = frames_;
  for (; n > 0; --n) {
    if (*byte++ == 0) --frames;
  }
  frames_ = frames;
  mid_frame_ = byte[-1] != 0;
  if (begin_ == end_ && !open_) begin_ = end_ = 0;
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
