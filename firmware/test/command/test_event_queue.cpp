// The queue of events: bounded, counted, and never without room for an overrun.
#include <doctest/doctest.h>

#include <initializer_list>

#include "board/event_queue.h"

using namespace spikedaq;

TEST_CASE("event queue: full of spikes it drops and counts, but takes an overrun") {
  board::Event memory[4];
  board::EventQueue queue(memory, 4);
  for (uint32_t k = 0; k < 6; ++k) queue.Push(board::Event{k, 0, 0, 0, wire::EventKind::kSpike});
  CHECK(queue.size() == 3);
  CHECK(queue.dropped() == 3);
  queue.Push(board::Event{99, 0, 5, 0, wire::EventKind::kOverrun});
  CHECK(queue.size() == 4);
  queue.Push(board::Event{100, 0, 5, 0, wire::EventKind::kOverrun});
  CHECK(queue.dropped() == 4);
  for (const uint64_t step : {0u, 1u, 2u, 99u}) {
    CHECK(queue.front().step == step);
    queue.Pop();
  }
  CHECK(queue.size() == 0);
}
