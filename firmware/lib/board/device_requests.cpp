// What a device does at boot, when it is asked, and once a second. What it does all the time is in device.cpp.
#include "board/device.h"
#include "board/steps_held.h"

namespace spikedaq {
namespace board {

void Device::Boot(uint32_t boot_id) {
  boot_id_ = boot_id;
  parameters_.SetBoard(board_->parameters());
  parameters_.HandBackAll();
  neuron_.Restart(settings_.noise);
  board_->Configure(&parameters_, &neuron_parameters_);
  parameters_.ForgetChanges();
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  waveform_.Clear();
#endif
  encoder_.Cancel();
  sampler_.Clear();
  events_.Clear();
  dispatcher_.Clear();
  decoder_.Restart();
  transmitter_.RestartSeq();
  step_ = 0;
  tick_ = board_->TickAtBoot();
  next_status_tick_ = tick_ + kStatusPeriodUs;
  stopped_at_ = 0;
  saturated_values_ = 0;
  high_water_ = 0;
  status_due_ = false;
  reboot_wanted_ = false;
  again_next_ = true;
  transmitter_.SendZero();
  SendHello();
}

void Device::SendHello() {
  const Identity who = board_->Who();
  wire::Writer w = transmitter_.Begin(wire::MessageType::kHello, 18);
  w.Unsigned8(who.protocol_major);
  w.Unsigned8(wire::kProtocolMinor);
  w.String(who.firmware_version);
  w.String(who.build_hash);
  w.String(who.name);
  w.Binary(who.unique_id);
  w.Unsigned32(boot_id_);
  w.Unsigned32(neuron_parameters_.step_us());
  w.Unsigned32(default_block_samples_);
  w.Unsigned8(kChannelCount);
  w.Unsigned8(parameters_.count());
  w.Unsigned8(kPresetCount);
  w.Unsigned32(transmitter_.history() != nullptr ? transmitter_.history()->depth() : 0);
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  w.Unsigned32(waveform_.capacity());
#else
  w.Unsigned8(0);
#endif
  w.Unsigned8(encoder_.codecs());
  w.Unsigned32(max_request_bytes_);
  w.Bool(sampler_.running());
  uint8_t traits = kHasVoltageClamp ? wire::kTraitVoltageClamp : 0;
#ifndef SPIKEDAQ_WITHOUT_SELF_TEST
  Probe probe;
  if (board_->ReadProbe(0, &probe)) traits |= wire::kTraitSelfTest;
#endif
  w.Unsigned8(traits);
  transmitter_.Commit(w);
}

wire::ReplyCode Device::Start(uint16_t block_samples, uint64_t* first_step) {
  const uint16_t n = block_samples == 0 ? default_block_samples_ : block_samples;
  if (n > block_capacity_) return wire::ReplyCode::kTooLarge;
  const StepsHeld held(board_);
  sampler_.Start(n);
  *first_step = step_;
  return wire::ReplyCode::kOk;
}

void Device::Stop() {
  if (!sampler_.running()) return;
  const StepsHeld held(board_);
  sampler_.Stop();
  stopped_at_ = step_;
}

uint64_t Device::step() const {
  const StepsHeld held(board_);
  return step_;
}

#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
void Device::PlayWaveform(bool loop) {
  const StepsHeld held(board_);
  neuron_.SetWaveform(waveform_.rows(), waveform_.n_rows());
  neuron_.PlayWaveform(loop);
}

void Device::StopWaveform() {
  const StepsHeld held(board_);
  neuron_.StopWaveform();
}

void Device::ForgetWaveform() {
  const StepsHeld held(board_);
  neuron_.SetWaveform(nullptr, 0);
}
#endif

void Device::Reset(bool parameters_too) {
  const StepsHeld held(board_);
  if (parameters_too) parameters_.HandBackAll();
  neuron_.Reset();
}

void Device::SkipSteps(uint32_t n) {
  sampler_.Skip(step_, tick_, n);
  step_ += n;
  tick_ += uint64_t{n} * neuron_parameters_.step_us();
}

void Device::QueueStatus() {
  const uint64_t tick = board_->Tick();
  wire::Writer w = transmitter_.Begin(wire::MessageType::kStatus, 10);
  w.Unsigned(tick);
  {
    const StepsHeld held(board_);
    w.Unsigned(step_);
    w.Unsigned32(sampler_.overruns());
    w.Unsigned32(sampler_.overrun_samples());
    w.Unsigned32(events_.dropped());
  }
  w.Unsigned32(high_water_);
  w.Unsigned32(transmitter_.history() != nullptr ? transmitter_.history()->misses() : 0);
  w.Unsigned32(decoder_.bad_total());
  {
    const StepsHeld held(board_);
    w.Unsigned32(saturated_values_);
  }
  w.Unsigned32(board_->CpuPermille());
  transmitter_.Commit(w);
  high_water_ = 0;
}

void Device::LinkRestarted() {
  decoder_.Restart();
  if (transmitter_.history() != nullptr) transmitter_.history()->ForgetRequests();
  transmitter_.DropPartialFrame();
  transmitter_.SendZero();
}

}  // namespace board
}  // namespace spikedaq
