// What the core that keeps time does: conversions in rotation, the schedule, and the ring to the other core.
#include <doctest/doctest.h>

#include <map>

#include "esp_bench.h"

using namespace testing;

TEST_CASE("esp32 rotation: at most two conversions a step, each input as often as it says, for ever") {
  for (const esp32::Profile* profile : AllProfiles()) {
    CAPTURE(profile->name);
    EspBench b(*profile);
    const esp32::AdcRotation& rotation = b.runner->io().rotation();
    std::map<std::pair<int, int>, std::vector<int>> steps;
    for (int step = 0; step < 600; ++step) {
      const size_t before = chip.conversions.size();
      b.Step();
      REQUIRE(chip.conversions.size() - before <= 2);
      for (size_t k = before; k < chip.conversions.size(); ++k) steps[chip.conversions[k]].push_back(step);
    }
    CHECK(steps.size() == profile->n_inputs);
    for (uint8_t i = 0; i < profile->n_inputs; ++i) {
      CAPTURE(profile->inputs[i].name);
      const std::vector<int>& at = steps[{profile->inputs[i].chip, profile->inputs[i].channel}];
      REQUIRE(at.size() > 10);
      for (size_t k = 1; k < at.size(); ++k) REQUIRE(at[k] - at[k - 1] == rotation.PeriodSteps(i));
      const bool signal = profile->inputs[i].use < esp32::Use::kKnob;
      CHECK(rotation.PeriodSteps(i) == (signal ? 3 : (profile->n_inputs == 13 ? 15 : 12)));
    }
  }
}

TEST_CASE("esp32 schedule: nothing before it is due, and no burst after boot") {
  EspBench b(v3_esp32s3::kProfileC);
  const uint64_t first = chip.now_us;
  CHECK_FALSE(b.runner->io().Tick(first - 1));
  CHECK(b.runner->io().Tick(first));
  CHECK_FALSE(b.runner->io().Tick(first));
  CHECK_FALSE(b.runner->io().Tick(first + 99));
  CHECK(b.runner->io().Tick(first + 100));
  for (int k = 0; k < 5; ++k) b.runner->Once();
  CHECK(b.device().step() == 2);
}

TEST_CASE("esp32 schedule: steps for which it is too late are skipped and counted, not made up for") {
  EspBench b(v3_esp32s3::kProfileC);
  b.Send(Start{1, 10});
  b.Steps(25);
  chip.now_us += 730;  // seven whole steps
  const size_t before = chip.conversions.size();
  b.Step();
  CHECK(chip.conversions.size() - before == 2);
  CHECK(b.device().step() == 33);
  CHECK(b.device().sampler().overruns() == 1);
  CHECK(b.device().sampler().overrun_samples() == 7);
  b.Steps(60);
  const std::vector<Block> blocks = b.All<Block>();
  REQUIRE(blocks.size() >= 6);
  CHECK(blocks[2].first_step == 20);
  CHECK(blocks[2].n == 5);
  CHECK(blocks[3].first_step == 32);
  CHECK((blocks[3].flags & kBlockAfterOverrun) != 0);
  CHECK(blocks[3].first_tick - blocks[2].first_tick == 1200);
  int told = 0;
  for (const Event& event : b.All<Event>()) {
    if (event.kind != static_cast<uint8_t>(EventKind::kOverrun)) continue;
    ++told;
    CHECK(event.step == 25);
    CHECK(event.index == 7);
  }
  CHECK(told == 1);
}

TEST_CASE("esp32 schedule: a model that is late gets every step's own inputs, as long as the ring lasts") {
  EspBench b(v3_esp32s3::kProfileC);
  b.Send(Start{1, 10});
  b.Set("syn1_gain", 1);
  b.Set("syn1_decay", 1);
  for (int k = 0; k < 64; ++k) {
    chip.levels[b.Pin(esp32::kSyn1Pulse)] = k % 2 == 1;
    REQUIRE(b.runner->io().Tick(chip.now_us));
    chip.now_us += 100;
  }
  for (int k = 0; k < 70; ++k) b.runner->Once();
  CHECK(b.device().step() == 64);
  CHECK(b.device().sampler().overrun_samples() == 0);
  SUBCASE("the synapse saw all 32 rising edges") {
    b.Steps(20);
    const std::vector<Block> blocks = b.All<Block>();
    REQUIRE(blocks.size() >= 8);
    // Channel 4 (syn1_i) of the samples 70 to 79, 32.00 a.u. each.
    CHECK(blocks[7].first_step == 70);
    const Bytes payload = blocks[7].payload;
    if (blocks[7].codec == 0) {
      const size_t at = size_t{4} * 10 * 2;
      CHECK((payload.data[at] | payload.data[at + 1] << 8) == 3200);
    } else {
      // Constant channels are their first value and a width of 0 (protocol/README.md, section 5): 3200 is 0x0C80.
      bool found = false;
      for (size_t k = 0; k + 1 < payload.size; ++k) found |= payload.data[k] == 0x80 && payload.data[k + 1] == 0x0C;
      CHECK(found);
    }
  }
  SUBCASE("and beyond it steps are lost, and counted") {
    for (int k = 0; k < 90; ++k) {
      b.runner->io().Tick(chip.now_us);
      chip.now_us += 100;
    }
    for (int k = 0; k < 100; ++k) b.runner->Once();
    b.Step();
    CHECK(b.device().sampler().overrun_samples() == 26);
    CHECK(b.device().step() == 64 + 90 + 1);
  }
}

TEST_CASE("esp32 schedule: another step_us holds from the next step on") {
  EspBench b(v3_esp32s3::kProfileC);
  b.Send(Start{1, 10});
  b.Steps(10);
  b.Set("step_us", 500);
  b.runner->Once();
  const uint64_t due = b.device().next_tick();
  CHECK_FALSE(b.runner->io().Tick(due - 1));
  chip.now_us = due;
  b.Steps(20);
  CHECK(b.device().step() == 30);
  CHECK(b.device().sampler().overrun_samples() == 0);
  CHECK(b.device().next_tick() == due + 20 * 500);
  board::Probe probe;
  REQUIRE(b.runner->board().ReadProbe(0, &probe));
  CHECK(probe.period_us == 1500);
}

TEST_CASE("esp32 link: with nobody reading the steps go on, and what is lost is counted") {
  EspBench b(v3_esp32s3::kProfileA);
  b.Send(Start{1, 0});
  chip.room = 0;
  b.Steps(20000);
  CHECK(b.device().step() == 20000);
  CHECK(b.device().sampler().overrun_samples() > 0);
  chip.room = SIZE_MAX;
  b.Steps(2000);
  uint64_t expected = 0;
  uint64_t missing = 0;
  for (const Block& block : b.All<Block>()) {
    CHECK(block.first_step >= expected);
    missing += block.first_step - expected;
    expected = block.first_step + block.n;
  }
  CHECK(missing == b.device().sampler().overrun_samples());
}

TEST_CASE("esp32 link: a reboot is a new boot id, and time that goes on") {
  EspBench b(v2_esp32::kProfile);
  b.Steps(50);
  b.Send(Reset{3, 2});
  b.Steps(3);
  const std::vector<Hello> hellos = b.All<Hello>();
  REQUIRE(hellos.size() == 2);
  CHECK(hellos[1].boot_id != hellos[0].boot_id);
  CHECK(b.device().next_tick() > chip.now_us);
  CHECK(b.device().step() == 0);
  chip.now_us = b.device().next_tick();
  b.Steps(5);
  CHECK(b.device().step() == 5);
}

TEST_CASE("esp32 schedule: what was read by an earlier schedule makes no step of the next") {
  EspBench b(v3_esp32s3::kProfileC);
  b.Send(Start{1, 10});
  for (int k = 0; k < 6; ++k) {
    b.runner->io().Tick(chip.now_us);
    chip.now_us += 100;
  }
  b.runner->Once();
  b.Set("step_us", 1000);
  b.runner->Once();  // makes its step by the old schedule, then sets the new one
  CHECK(b.device().step() == 2);
  for (int k = 0; k < 10; ++k) b.runner->Once();
  CHECK(b.device().step() == 2);
  chip.now_us = b.device().next_tick();
  b.Steps(5);
  CHECK(b.device().step() == 7);
  CHECK(b.device().sampler().overrun_samples() == 0);
}
