/// A bounded queue of events that wait for the link.
#ifndef SPIKEDAQ_BOARD_EVENT_QUEUE_H_
#define SPIKEDAQ_BOARD_EVENT_QUEUE_H_

#include <stdint.h>

#include "wire/messages.h"

namespace spikedaq {
namespace board {

/// Policy: a new event that finds no room is dropped and counted. One place is kept for overruns, which happen just
/// when everything else is full, and without which a host cannot tell what was lost where.
class EventQueue {
 public:
  /// @param[in] memory  `capacity` events, at least 2.
  constexpr EventQueue(wire::Event* memory, uint16_t capacity) : memory_(memory), capacity_(capacity) {}

  /// Room for one more event, which the caller fills; nullptr, and counted, where there is none.
  wire::Event* Add(bool is_overrun) {
    if (size_ + (is_overrun ? 0 : 1) >= capacity_) {
      ++dropped_;
      return nullptr;
    }
    const uint16_t last = static_cast<uint16_t>(first_ + size_);
    ++size_;
    return memory_ + (last < capacity_ ? last : last - capacity_);
  }
  void Push(const wire::Event& event) {
    wire::Event* to = Add(event.kind == static_cast<uint8_t>(wire::EventKind::kOverrun));
    if (to != nullptr) *to = event;
  }
  /// Whether an event other than an overrun would be kept.
  bool HasRoom() const { return size_ + 1 < capacity_; }
  const wire::Event& front() const { return memory_[first_]; }
  void Pop() {
    first_ = static_cast<uint16_t>(first_ + 1 == capacity_ ? 0 : first_ + 1);
    --size_;
  }
  void Clear() { first_ = 0, size_ = 0, dropped_ = 0; }
  uint16_t size() const { return size_; }
  uint32_t dropped() const { return dropped_; }

 private:
  wire::Event* memory_;
  uint16_t capacity_;
  uint16_t first_ = 0;
  uint16_t size_ = 0;
  uint32_t dropped_ = 0;
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_EVENT_QUEUE_H_
