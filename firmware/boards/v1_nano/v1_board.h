/// Spikeling v1 as a board: converter, knobs, button, pins, and its share of the processor.
#ifndef SPIKEDAQ_V1_V1_BOARD_H_
#define SPIKEDAQ_V1_V1_BOARD_H_

#include <stdint.h>

#include "board/board.h"
#include "converter.h"
#include "identity.h"
#include "neuron/knobs.h"
#include "timer.h"

namespace spikedaq {
namespace v1 {

/// The photodiode as neuron/jacks.h has it, but in whole numbers, which spare two divisions at each step: the mean of
/// the last ten counts above the dark ones, of which 400 are full drive.
class Light {
 public:
  static constexpr uint8_t kMean = 10;
  /// Sum of kMean counts in the dark.
  void SetDark(uint16_t sum) { dark_ = sum; }
  void Take(uint16_t count);
  /// 0 to 10.
  float Drive() const;

 private:
  uint16_t counts_[kMean] = {};
  uint16_t sum_ = 0;
  uint16_t dark_ = 0;
  uint8_t next_ = 0;
};

/// The filter of neuron/knobs.h in whole numbers: the median of three counts, a low pass, and a deadband.
class Knob {
 public:
  /// Takes one count. @returns whether `count()` has moved, as it does at the first.
  bool Take(uint16_t raw, uint8_t deadband);
  uint16_t count() const { return output_; }

 private:
  uint16_t last_[2] = {};
  int16_t smooth_ = 0;  // eight times a count
  uint16_t output_ = 0;
  bool empty_ = true;
};

class V1Board final : public board::Board {
 public:
  /// Sets up pins, converter, timer and UART, and takes the photodiode's dark count. Interrupts must be off.
  void Begin();
  /// From now on steps come, the first at TickAtBoot.
  void StartSteps();

  /// Follows knobs and button. Called from the loop.
  void Poll();
  /// Sleeps until the next interrupt, unless bytes have come.
  void Idle();
  /// The processor was asleep until now. Called first in each step's interrupt, with interrupts off.
  void WokenUp();

  board::Identity Who() const override;
  uint64_t Tick() override { return timer::Tick(); }
  uint64_t TickAtBoot() override { return tick_at_boot_; }
  size_t Write(const uint8_t* bytes, size_t n) override;
  size_t Read(uint8_t* bytes, size_t n) override;
  void SetStimulus(float) override {}
  bool WantsStimulus() const override { return false; }
  void ReadInputs(Inputs<float>* inputs) override;
  void SetOutputs(const board::Outputs& outputs) override;
  void HoldSteps() override { timer::HoldSteps(); }
  void ReleaseSteps() override { timer::ReleaseSteps(); }
  uint16_t CpuPermille() override;
  command::ParameterBank* parameters() override { return nullptr; }
  void Configure(command::ParameterTable* table, command::NeuronParameters* neuron) override;

 private:
  void FollowKnob(uint8_t input);
  void FollowButton();

  command::ParameterTable* table_ = nullptr;
  command::NeuronParameters* neuron_ = nullptr;
  Light light_;
  Knob knobs_[converter::kKnobs] = {};
  uint8_t unique_id_[kUniqueIdBytes] = {};
  uint64_t tick_at_boot_ = 0;
  uint16_t asleep_since_ = 0;  // in half microseconds, as all below
  uint32_t idle_ = 0;
  uint32_t idle_since_ = 0;
  volatile bool asleep_ = false;
  uint8_t polled_ms_ = 0;
  uint8_t pressed_ms_ = 0;  // how long the button has been another than it counts as
  bool pressed_ = false;
};

}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_V1_BOARD_H_
