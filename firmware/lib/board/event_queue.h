/// A bounded queue of events that wait for the link.
#ifndef SPIKEDAQ_BOARD_EVENT_QUEUE_H_
#define SPIKEDAQ_BOARD_EVENT_QUEUE_H_

#include <stdint.h>

#include "wire/messages.h"

namespace spikedaq {
namespace board {

/// What `wire::Event` carries, but for the number that it gets when it is sent.
struct Event {
  uint64_t step;
  uint32_t tick;
  uint32_t index;
  float value;
  wire::EventKind kind;
};

/// Policy: a new event that finds no room is dropped and counted. One place is kept for overruns, which happen just
/// when everything else is full, and without which a host cannot tell what was lost where.
class EventQueue {
 public:
  /// @param[in] memory  `capacity` events, at least 2.
  constexpr EventQueue(Event* memory, uint16_t capacity) : memory_(memory), capacity_(capacity) {}

  /// Room for one more event, which the caller fills; nullptr, and counted, where there is none.
  Event* Add(bool is_overrun) {
    if (size_ + (is_overrun ? 0 : 1) >= capacity_) {
      ++dropped_;
      return nullptr;
    }
    const uint16_t last = static_cast<uint16_t>(first_ + size_);
    ++size_;
    return memory_ + (last < capacity_ ? last : last - capacity_);
  }
  void Push(const Event& event) {
    Event* to = Add(event.kind == wire::EventKind::kOverrun);
    if (to != nullptr) *to = event;
  }
  /// Whether one more event can wait here that could wait elsewhere: half of the room is for those that could not.
  bool HasSpareRoom() const { return 2 * size_ + 2 < capacity_; }
  const Event& front() const { return memory_[first_]; }
  void Pop() {
    first_ = static_cast<uint16_t>(first_ + 1 == capacity_ ? 0 : first_ + 1);
    --size_;
  }
  void Clear() { first_ = 0, size_ = 0, dropped_ = 0; }
  uint16_t size() const { return size_; }
  uint32_t dropped() const { return dropped_; }

 private:
  Event* memory_;
  uint16_t capacity_;
  uint16_t first_ = 0;
  uint16_t size_ = 0;
  uint32_t dropped_ = 0;
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_EVENT_QUEUE_H_
