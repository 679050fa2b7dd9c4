/// The stand-in for the 32-bit boards: everything of a board but its converters, which are parameters or a script.
#ifndef SPIKEDAQ_QEMU_CM4_CM4_BOARD_H_
#define SPIKEDAQ_QEMU_CM4_CM4_BOARD_H_

#include <stdint.h>

#include "board/board.h"

namespace spikedaq {
namespace cm4 {

/// What is at the inputs: constant values, or a script that repeats every second of the model.
class VirtualInputs final : public command::ParameterBank {
 public:
  uint8_t count() const override { return 3; }
  command::ParameterSpec Spec(uint8_t index) const override;
  float Value(uint8_t index) const override;
  void Store(uint8_t index, float value) override;

  void Read(uint64_t step, Inputs<float>* inputs) const;

 private:
  float light_ = 0;
  float current_in_ = 0;
  bool scripted_ = false;
};

class Cm4Board final : public board::Board {
 public:
  /// Starts clock and line. `unique_id` is what a real board reads out of its fuses.
  explicit Cm4Board(uint64_t unique_id);

  board::Identity Who() const override;
  uint64_t Tick() override;
  uint64_t TickAtBoot() override { return Tick(); }
  size_t Write(const uint8_t* bytes, size_t n) override;
  size_t Read(uint8_t* bytes, size_t n) override;
  void SetStimulus(float) override {}
  void ReadInputs(Inputs<float>* inputs) override { inputs_.Read(step_, inputs); }
  void SetOutputs(const board::Outputs& outputs) override { step_ = outputs.step + 1; }
  uint16_t CpuPermille() override;
  bool ReadProbe(uint8_t index, board::Probe* probe) override;
  command::ParameterBank* parameters() override { return &inputs_; }
  void Configure(command::ParameterTable*, command::NeuronParameters*) override { step_ = 0; }

  /// Sleeps until an interrupt: SysTick, or a byte.
  void Sleep();

 private:
  uint64_t Cycles();

  uint8_t unique_id_[8];
  VirtualInputs inputs_;
  uint64_t step_ = 0;
  uint64_t cycles_ = 0;
  uint32_t last_count_;
  uint64_t slept_ = 0;  // cycles
  uint64_t slept_before_ = 0;
  uint64_t asked_at_ = 0;
};

}  // namespace cm4
}  // namespace spikedaq

#endif  // SPIKEDAQ_QEMU_CM4_CM4_BOARD_H_
