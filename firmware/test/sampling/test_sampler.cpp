// The sampler: every sample is in a block or counted, whatever the reader does.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "sampling/sampler.h"

using namespace spikedaq;
using sampling::BlockHead;
using sampling::Overrun;
using sampling::Sampler;

namespace {

constexpr uint16_t kBlocks = 4;
constexpr uint16_t kCapacity = 10;
constexpr uint8_t kChannels = 2;

struct Bench {
  std::vector<BlockHead> heads = std::vector<BlockHead>(kBlocks);
  std::vector<int16_t> values = std::vector<int16_t>(size_t{kBlocks} * kCapacity * kChannels);
  Sampler sampler{heads.data(), values.data(), kBlocks, kCapacity, kChannels};
  uint64_t step = 0;
  uint64_t tick = 1000;

  Status Push(uint32_t step_us = 100, uint8_t flags = 0) {
    const int16_t row[kChannels] = {static_cast<int16_t>(step), static_cast<int16_t>(-static_cast<int>(step))};
    const Status status = sampler.Push(step, tick, step_us, row, flags);
    ++step;
    tick += step_us;
    return status;
  }
};

}  // namespace

TEST_CASE("sampler: nothing is taken before start, and the first block says after start") {
  Bench b;
  for (int k = 0; k < 50; ++k) CHECK(b.Push() == Status::kOk);
  CHECK(b.sampler.closed() == 0);
  b.sampler.Start(5);
  for (int k = 0; k < 10; ++k) b.Push();
  REQUIRE(b.sampler.closed() == 2);
  CHECK(b.sampler.oldest().first_step == 50);
  CHECK(b.sampler.oldest().first_tick == 1000 + 50 * 100);
  CHECK(b.sampler.oldest().n == 5);
  CHECK(b.sampler.oldest().flags == wire::kBlockAfterStart);
  CHECK(b.sampler.oldest_channel(0)[4] == 54);
  CHECK(b.sampler.oldest_channel(1)[4] == -54);
  b.sampler.Release();
  CHECK(b.sampler.oldest().flags == 0);
}

TEST_CASE("sampler: with every block full samples are counted, and told once it is over") {
  Bench b;
  Overrun overrun;
  b.sampler.Start(5);
  for (int k = 0; k < 5 * kBlocks; ++k) CHECK(b.Push() == Status::kOk);
  CHECK_FALSE(b.sampler.HasRoom(100));
  for (int k = 0; k < 7; ++k) CHECK(b.Push() == Status::kExhausted);
  CHECK(b.sampler.overruns() == 1);
  CHECK(b.sampler.overrun_samples() == 7);
  CHECK_FALSE(b.sampler.TakeOverrun(&overrun));  // not over yet
  b.sampler.Release();
  CHECK_FALSE(b.sampler.TakeOverrun(&overrun));
  CHECK(b.Push() == Status::kOk);
  REQUIRE(b.sampler.TakeOverrun(&overrun));
  CHECK(overrun.first_step == 20);
  CHECK(overrun.first_tick == 1000 + 20 * 100);
  CHECK(overrun.n_samples == 7);
  CHECK_FALSE(b.sampler.TakeOverrun(&overrun));
  for (int k = 0; k < 4; ++k) b.Push();
  for (int k = 0; k < kBlocks - 1; ++k) b.sampler.Release();
  REQUIRE(b.sampler.closed() == 1);
  CHECK(b.sampler.oldest().first_step == 27);
  CHECK(b.sampler.oldest().flags == wire::kBlockAfterOverrun);
}

TEST_CASE("sampler: an overrun that stop ends is told as well") {
  Bench b;
  Overrun overrun;
  b.sampler.Start(1);
  for (int k = 0; k < kBlocks + 3; ++k) b.Push();
  b.sampler.Stop();
  REQUIRE(b.sampler.TakeOverrun(&overrun));
  CHECK(overrun.n_samples == 3);
  CHECK(b.sampler.closed() == kBlocks);
}

TEST_CASE("sampler: a change of step_us closes the open block") {
  Bench b;
  b.sampler.Start(10);
  for (int k = 0; k < 3; ++k) b.Push(100);
  for (int k = 0; k < 2; ++k) b.Push(2000);
  REQUIRE(b.sampler.closed() == 1);
  CHECK(b.sampler.oldest().n == 3);
  CHECK(b.sampler.oldest().step_us == 100);
  b.sampler.Stop();
  b.sampler.Release();
  CHECK(b.sampler.oldest().n == 2);
  CHECK(b.sampler.oldest().step_us == 2000);
  CHECK(b.sampler.oldest().first_tick == 1300);
}

TEST_CASE("sampler: one saturated sample flags its block and no other") {
  Bench b;
  b.sampler.Start(3);
  for (int k = 0; k < 9; ++k) b.Push(100, k == 4 ? wire::kBlockSaturated : 0);
  CHECK(b.sampler.oldest().flags == wire::kBlockAfterStart);
  b.sampler.Release();
  CHECK(b.sampler.oldest().flags == wire::kBlockSaturated);
  b.sampler.Release();
  CHECK(b.sampler.oldest().flags == 0);
}

TEST_CASE("sampler: a change of clamp mode closes the open block, at the exact sample and either way") {
  Bench b;
  b.sampler.Start(10);
  for (int k = 0; k < 13; ++k) b.Push();
  for (int k = 0; k < 12; ++k)
    b.Push(100, k == 1 ? wire::kBlockVoltageClamp | wire::kBlockSaturated : wire::kBlockVoltageClamp);
  b.Push();
  const uint8_t flags[] = {wire::kBlockAfterStart, 0, wire::kBlockVoltageClamp | wire::kBlockSaturated,
                           wire::kBlockVoltageClamp};
  const uint64_t first_steps[] = {0, 10, 13, 23};
  const uint16_t lengths[] = {10, 3, 10, 2};
  // The last sample found every block taken: a change of mode needs a new one.
  CHECK(b.sampler.overrun_samples() == 1);
  REQUIRE(b.sampler.closed() == 4);
  for (int k = 0; k < 4; ++k) {
    CAPTURE(k);
    CHECK(b.sampler.oldest().flags == flags[k]);
    CHECK(b.sampler.oldest().first_step == first_steps[k]);
    CHECK(b.sampler.oldest().n == lengths[k]);
    b.sampler.Release();
  }
}

TEST_CASE("sampler: whether a sample finds room is a matter of its mode, too") {
  Bench b;
  b.sampler.Start(10);
  for (int k = 0; k < 10 * kBlocks - 5; ++k) b.Push(100, wire::kBlockVoltageClamp);
  CHECK(b.sampler.HasRoom(100, wire::kBlockVoltageClamp));
  CHECK(b.sampler.HasRoom(100, wire::kBlockVoltageClamp | wire::kBlockSaturated));
  CHECK_FALSE(b.sampler.HasRoom(100));
  CHECK(b.Push(100, wire::kBlockVoltageClamp) == Status::kOk);
  CHECK(b.Push() == Status::kExhausted);
}

TEST_CASE("sampler: start while running closes the open block and begins afresh") {
  Bench b;
  b.sampler.Start(10);
  for (int k = 0; k < 3; ++k) b.Push();
  b.sampler.Start(2);
  for (int k = 0; k < 2; ++k) b.Push();
  REQUIRE(b.sampler.closed() == 2);
  CHECK(b.sampler.oldest().n == 3);
  b.sampler.Release();
  CHECK(b.sampler.oldest().n == 2);
  CHECK(b.sampler.oldest().flags == wire::kBlockAfterStart);
}

TEST_CASE("sampler: with a reader that comes and goes every step is in one block or in one overrun") {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Bench b;
    b.sampler.Start(static_cast<uint16_t>(1 + random() % kCapacity));
    uint64_t next = 0;  // first step that is not accounted for
    uint32_t discarded = 0;
    std::vector<Overrun> overruns;
    Overrun overrun;
    uint32_t step_us = 100;
    bool reading = true;
    const auto read_all = [&] {
      while (b.sampler.closed() > 0) {
        const BlockHead& head = b.sampler.oldest();
        if (!overruns.empty() && overruns.front().first_step == next) {
          CHECK((head.flags & wire::kBlockAfterOverrun) != 0);
          discarded += overruns.front().n_samples;
          next += overruns.front().n_samples;
          overruns.erase(overruns.begin());
        }
        REQUIRE(head.first_step == next);
        for (uint16_t k = 0; k < head.n; ++k) {
          REQUIRE(b.sampler.oldest_channel(0)[k] == static_cast<int16_t>(next + k));
        }
        next += head.n;
        b.sampler.Release();
      }
    };
    for (int k = 0; k < 2000; ++k) {
      if (random() % 60 == 0) reading = !reading;
      if (random() % 97 == 0) step_us = 50 + 50 * static_cast<uint32_t>(random() % 3);
      const bool room = b.sampler.HasRoom(step_us);
      CHECK((b.Push(step_us) == Status::kOk) == room);
      if (b.sampler.TakeOverrun(&overrun)) overruns.push_back(overrun);
      if (reading && random() % 4 == 0) read_all();
    }
    b.sampler.Stop();
    if (b.sampler.TakeOverrun(&overrun)) overruns.push_back(overrun);
    read_all();
    for (const Overrun& last : overruns) discarded += last.n_samples, next += last.n_samples;
    CHECK(next == b.step);
    CHECK(discarded == b.sampler.overrun_samples());
  }
}
