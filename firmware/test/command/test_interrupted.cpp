// A board may make its steps in an interrupt of the loop that pumps.
#include <doctest/doctest.h>

#include <map>

#include "bench.h"

using namespace testing;

TEST_CASE("steps that interrupt the pump wherever they are not held up lose and repeat nothing") {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Bench b;
    uint32_t random = seed;
    const auto draw = [&random](uint32_t n) {
      random = random * 1664525u + 1013904223u;
      return (random >> 16) % n;
    };
    uint64_t taken = 0;
    b.board.interrupt = [&] {
      if (draw(3) != 0) return;
      if (b.device.sampler().running()) ++taken;
      b.device.Step();
    };
    b.device.neuron_parameters().SetKnob(b.Index("i_clamp"), 20);
    b.device.parameters().FollowKnob(b.Index("i_clamp"));
    b.Send(Start{1, static_cast<uint16_t>(1 + draw(10))});
    for (uint32_t id = 2; id < 300; ++id) {
      b.board.room = draw(4) == 0 ? draw(40) : SIZE_MAX;
      switch (draw(8)) {
        case 0:
          b.Send(Ping{id});
          break;
        case 1: {
          SetRequest set(id);
          b.Send(set.Add(b.Index("syn1_gain"), static_cast<float>(id)).Message());
          break;
        }
        case 2:
          b.Send(Stop{id});
          break;
        case 3:
          b.Send(Start{id, static_cast<uint16_t>(1 + draw(10))});
          break;
        case 4: {
          SetRequest set(id);
          b.Send(set.Add(b.Index("step_us"), static_cast<float>(100 + draw(3))).Message());
          break;
        }
        default:
          b.Pump();
      }
    }
    b.board.room = SIZE_MAX;
    b.Send(Stop{300});
    b.board.interrupt = nullptr;
    b.Pump();

    REQUIRE(!b.board.held_twice);
    REQUIRE(!b.board.held);
    REQUIRE(b.decoder.bad_total() == 0);
    uint64_t received = 0, next_step = 0;
    for (const std::vector<uint8_t>& bytes : b.messages) {
      Block block;
      if (Decode(Bytes{bytes.data(), bytes.size()}, &block) != Status::kOk) continue;
      REQUIRE(block.n >= 1);
      REQUIRE(block.first_step >= next_step);
      if ((block.flags & (kBlockAfterStart | kBlockAfterOverrun)) == 0) REQUIRE(block.first_step == next_step);
      received += block.n;
      next_step = block.first_step + block.n;
    }
    REQUIRE(received > 20);
    REQUIRE(received + b.device.sampler().overrun_samples() == taken);
    const std::vector<StatusMessage> status = b.Take<StatusMessage>();
    for (const StatusMessage& m : status) REQUIRE(m.step <= b.device.step());
  }
}
