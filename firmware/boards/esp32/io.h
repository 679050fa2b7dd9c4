/// The converters and the inputs' pins, on a processor core of their own.
///
/// One core does the timing and waits for the SPI bus, the other computes the neuron and serves the link. What is read
/// at a step goes from the one to the other as a frame in a ring, so that a model that is late for some steps gets for
/// each of them what was there in time.
#ifndef SPIKEDAQ_ESP32_IO_H_
#define SPIKEDAQ_ESP32_IO_H_

#include <stdint.h>

#include <atomic>

#include "esp32/adc_rotation.h"
#include "esp32/profile.h"

namespace spikedaq {
namespace esp32 {

/// What was read at one step.
struct Frame {
  uint32_t epoch;   ///< Of the schedule it belongs to.
  uint32_t number;  ///< Steps since that schedule began, also those for which there was no time.
  uint8_t inputs[kConversionsPerStep];
  uint16_t counts[kConversionsPerStep];
  uint32_t levels;  ///< One bit per PinRole.
};

/// A ring with one writer and one reader, on different cores.
class FrameRing {
 public:
  /// 6.4 ms at 10 kHz: longer than a block takes to encode or the link's driver to copy. When it is full the newest
  /// frame is dropped, and its step becomes an overrun.
  static constexpr uint32_t kFrames = 64;

  bool Put(const Frame& frame);
  bool Take(Frame* frame);

 private:
  Frame frames_[kFrames];
  std::atomic<uint32_t> put_{0};
  std::atomic<uint32_t> taken_{0};
};

class Io {
 public:
  explicit Io(const Profile& profile);

  /// Sets up pins and converters, and reads every analogue input once. Before anything else.
  void Begin();
  /// What Begin read.
  uint16_t first_count(uint8_t input) const { return first_counts_[input]; }

  // ---- for the core that keeps time

  /// Does the input and output of a step if one is due. Steps for which it is too late are not made up for: they are
  /// skipped, and the next frame's number says how many.
  ///
  /// @returns whether one was due.
  bool Tick(uint64_t now_us);

  // ---- for the core that computes

  /// From now on step 0 is due at `first_us`, and the next each `step_us` later. @returns the schedule's epoch.
  uint32_t SetSchedule(uint64_t first_us, uint32_t step_us);
  bool Take(Frame* frame) { return ring_.Take(frame); }
  /// Codes of the MCP4922, 0 to 4095, written at the next step.
  void SetAxon(uint16_t code) { axon_.store(code, std::memory_order_relaxed); }
  void SetStimulus(uint16_t code) { stimulus_.store(code, std::memory_order_relaxed); }
  /// Microseconds spent in Tick, of a counter that wraps.
  uint32_t busy_us() const { return busy_us_.load(std::memory_order_relaxed); }
  const AdcRotation& rotation() const { return rotation_; }

 private:
  struct Schedule {
    uint64_t first_us;
    uint32_t step_us;
  };

  void AdoptSchedule();
  uint16_t Convert(uint8_t input);
  void WriteDac(uint8_t channel, uint16_t code, uint16_t* written);
  uint32_t ReadLevels() const;

  const Profile& profile_;
  AdcRotation rotation_;
  FrameRing ring_;
  uint16_t first_counts_[kMaxInputs] = {};

  // The schedule of epoch k stands at k % 2, so that a new one never touches the one being read.
  Schedule schedules_[2] = {};
  std::atomic<uint32_t> epoch_wanted_{0};
  std::atomic<uint16_t> axon_;
  std::atomic<uint16_t> stimulus_;
  std::atomic<uint32_t> busy_us_{0};

  // Of the core that keeps time.
  uint32_t epoch_ = 0;
  uint32_t number_ = 0;
  uint64_t due_us_ = 0;
  uint32_t step_us_ = 0;
  uint16_t axon_written_;
  uint16_t stimulus_written_;
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_IO_H_
