#include "esp32/start.h"

#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include "esp32/hal.h"
#include "esp32/runner.h"

namespace spikedaq {
namespace esp32 {
namespace {

// The chips' own services have priorities up to 24; a core that keeps time lets only those interrupt it.
constexpr unsigned kTimePriority = 20;
constexpr unsigned kComputePriority = 5;
constexpr unsigned kStackBytes = 8192;

// Core 0 rests so long, so often: its idle task must run now and then, or the system's watchdog resets the chip. The
// frames of two milliseconds wait in their ring meanwhile (20 of 64 at 10 kHz).
constexpr uint64_t kRestPeriodUs = 500000;
constexpr unsigned kRestTicks = 2;  // of 1 ms

struct Setup {
  const Profile* profile;
  board::Memory memory;
};
Setup setup;
Runner* runner = nullptr;

void KeepTime(void*) {
  for (;;) runner->io().Tick(hal::Microseconds());
}

void Compute(void*) {
  static Runner the_runner(*setup.profile, setup.memory);
  runner = &the_runner;
  runner->Begin();
  xTaskCreatePinnedToCore(KeepTime, "time", kStackBytes, nullptr, kTimePriority, nullptr, 1);
  uint64_t rested_us = hal::Microseconds();
  for (;;) {
    runner->Once();
    const uint64_t now_us = hal::Microseconds();
    if (now_us - rested_us < kRestPeriodUs) continue;
    rested_us = now_us;
    vTaskDelay(kRestTicks);
  }
}

}  // namespace

void Start(const Profile& profile, const board::Memory& memory) {
  setup = Setup{&profile, memory};
  // Drivers are set up on core 0, so that their interrupts never take time from the core that keeps it.
  xTaskCreatePinnedToCore(Compute, "compute", kStackBytes, nullptr, kComputePriority, nullptr, 0);
}

}  // namespace esp32
}  // namespace spikedaq
