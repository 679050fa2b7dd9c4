/// The stand-in for the 32-bit boards: everything of a board but its converters, which are parameters or a script.
#ifndef SPIKEDAQ_QEMU_CM4_CM4_BOARD_H_
#define SPIKEDAQ_QEMU_CM4_CM4_BOARD_H_

#include <stdint.h>

#include "board/board.h"
#include "board/virtual_inputs.h"

namespace spikedaq {
namespace cm4 {

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
  /// As the parameters say, and where their switch is on a script that repeats every second of the model.
  void ReadInputs(Inputs<float>* inputs) override;
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
  board::VirtualInputs inputs_{{"virtual_script", "1", wire::ParameterType::kBoolean, 0, 1, 0, 0}};
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
