#include "esp32/runner.h"

#include "esp32/hal.h"

namespace spikedaq {
namespace esp32 {
namespace {

constexpr uint32_t kStepUs = 100;
// The first step is due this long after boot, so that boot itself is no late step.
constexpr uint64_t kFirstStepUs = 2000;
// One channel of a block of 100 samples takes a few microseconds; four of them per look at the link keep a step from
// waiting for a whole block.
constexpr uint8_t kSlicesPerPump = 4;

uint64_t Random64() { return uint64_t{hal::Random()} << 32 | hal::Random(); }

}  // namespace

Runner::Runner(const Profile& profile, const board::Memory& memory)
    : io_(profile), board_(profile, &io_), device_(&board_, memory, {kStepUs, Random64(), kSlicesPerPump}) {}

void Runner::Begin() {
  io_.Begin();
  board_.Begin();
  Boot();
}

void Runner::Boot() {
  const uint64_t first_us = hal::Microseconds() + kFirstStepUs;
  board_.SetTickAtBoot(first_us);
  device_.Boot(hal::Random());
  Reschedule(first_us);
}

void Runner::Reschedule(uint64_t first_us) {
  step_us_ = device_.neuron_parameters().step_us();
  expected_ = 0;
  epoch_ = io_.SetSchedule(first_us, step_us_);
}

void Runner::Once() {
  const uint64_t start_us = hal::Microseconds();
  Frame frame;
  const bool stepped = io_.Take(&frame) && frame.epoch == epoch_;
  if (stepped) {
    if (frame.number != expected_) device_.SkipSteps(frame.number - expected_);
    expected_ = frame.number + 1;
    board_.SetFrame(frame);
    device_.Step();
  }
  device_.Pump();
  if (device_.reboot_wanted()) {
    Boot();
  } else if (device_.neuron_parameters().step_us() != step_us_) {
    Reschedule(device_.next_tick());
  }
  if (stepped) board_.AddBusy(static_cast<uint32_t>(hal::Microseconds() - start_us));
}

}  // namespace esp32
}  // namespace spikedaq
