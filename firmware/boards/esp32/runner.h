/// The loop of the core that computes: steps of the model, and the link.
#ifndef SPIKEDAQ_ESP32_RUNNER_H_
#define SPIKEDAQ_ESP32_RUNNER_H_

#include <stdint.h>

#include "board/device.h"
#include "esp32/esp_board.h"
#include "esp32/io.h"

namespace spikedaq {
namespace esp32 {

class Runner {
 public:
  Runner(const Profile& profile, const board::Memory& memory);

  /// Sets everything up and boots. The knobs have been read by then.
  void Begin();
  /// Makes the steps whose frames have come, and serves the link. Never waits.
  void Once();

  /// For the core that keeps time.
  Io& io() { return io_; }
  board::Device& device() { return device_; }
  EspBoard& board() { return board_; }

 private:
  void Boot();
  void Reschedule(uint64_t first_us);

  Io io_;
  EspBoard board_;
  board::Device device_;
  uint32_t epoch_ = 0;
  uint32_t step_us_ = 0;
  uint32_t expected_ = 0;  // number of the next frame
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_RUNNER_H_
