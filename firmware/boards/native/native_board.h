/// The computer as a board: its clock, its link, its jacks, and the parameters that stand for what is plugged in.
#ifndef SPIKEDAQ_NATIVE_NATIVE_BOARD_H_
#define SPIKEDAQ_NATIVE_NATIVE_BOARD_H_

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "board/board.h"
#include "board/virtual_inputs.h"
#include "link.h"
#include "options.h"
#include "skewed_clock.h"
#include "truth.h"
#include "wiring.h"

namespace spikedaq {
namespace native {

/// CLOCK_MONOTONIC, in nanoseconds.
uint64_t NowNs();

class NativeBoard final : public board::Board {
 public:
  explicit NativeBoard(const Options& options);

  board::Identity Who() const override;
  uint64_t Tick() override;
  uint64_t TickAtBoot() override { return tick_at_boot_; }
  size_t Write(const uint8_t* bytes, size_t n) override { return link_->Write(bytes, n); }
  size_t Read(uint8_t* bytes, size_t n) override;
  void SetStimulus(float percent) override { stimulus_percent_ = percent; }
  void ReadInputs(Inputs<float>* inputs) override;
  void SetOutputs(const board::Outputs& outputs) override;
  bool ReadProbe(uint8_t index, board::Probe* probe) override;
  uint16_t CpuPermille() override;
  command::ParameterBank* parameters() override { return &inputs_; }
  void Configure(command::ParameterTable* table, command::NeuronParameters* neuron) override;

  /// Before each boot: draws its boot id and where the tick starts, and writes the head of the truth.
  uint32_t NextBoot();
  /// From now on ticks are read off the clock, `tick` being now.
  void AnchorTick(uint64_t tick);
  /// From now on ticks stand where the model stands (as fast as possible).
  void VirtualTick(uint64_t tick);
  /// When a tick is due, on the clock of NowNs. Only while ticks are read off the clock.
  uint64_t DueNs(uint64_t tick) const {
    return clock_start_ns_ + clock_.When(anchor_ns_ + (tick - anchor_tick_) * 1000);
  }

  /// Around each batch of steps: what has come over the cables, and what goes out on them.
  void ReceiveCables();
  void SendCables() { axon_.Flush(); }
  uint64_t dropped_rows() const { return jacks_[0].dropped() + jacks_[1].dropped(); }
  void FlushTruth() { truth_.Flush(); }
  Link& link() { return *link_; }
  const Link& link() const { return *link_; }
  uint64_t noise_seed() const { return noise_seed_; }

 private:
  uint64_t Random64();
  /// The board's own clock, in nanoseconds; NowNs is the room's.
  uint64_t ClockNs() const { return clock_.Shown(NowNs() - clock_start_ns_); }

  const Options options_;
  std::unique_ptr<Link> link_;
  TruthFile truth_;
  Axon axon_;
  SynapseJack jacks_[2];
  board::VirtualInputs inputs_;  // the switch: a cable from the stimulus output to current-in
  Noise random_;
  uint64_t noise_seed_;
  uint32_t boot_id_ = 0;
  uint32_t boots_ = 0;
  uint64_t tick_at_boot_ = 0;
  bool virtual_tick_ = false;
  uint64_t anchor_tick_ = 0;
  uint64_t anchor_ns_ = 0;  // on the board's own clock
  const SkewedClock clock_;
  const uint64_t clock_start_ns_;
  float stimulus_percent_ = 0;
  Inputs<float> inputs_now_ = {};  // of the newest step, for the self-test
  const command::NeuronParameters* neuron_ = nullptr;
  std::vector<std::string> knob_names_;
  uint64_t cpu_at_ns_ = 0;
  uint64_t cpu_used_ns_ = 0;
  uint8_t read_[512];  // bytes of the link that the device has not asked for yet
  size_t read_begin_ = 0;
  size_t read_end_ = 0;
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_NATIVE_BOARD_H_
