#include "cm4_board.h"

#include "registers.h"
#include "uart.h"

namespace spikedaq {
namespace cm4 {
namespace {

constexpr uint32_t kCyclesPerUs = kClockHz / 1000000;
constexpr uint32_t kSysTickHz = 10000;  // one step of the default rate

}  // namespace

Cm4Board::Cm4Board(uint64_t unique_id) {
  for (int k = 0; k < 8; ++k) unique_id_[k] = static_cast<uint8_t>(unique_id >> (56 - 8 * k));
  Register(kTimerReload) = 0xFFFFFFFF;
  Register(kTimerValue) = 0xFFFFFFFF;
  Register(kTimerControl) = kTimerEnable;
  last_count_ = Register(kTimerValue);
  StartUart();
  Register(kSysTickReload) = kClockHz / kSysTickHz - 1;
  Register(kSysTickValue) = 0;
  Register(kSysTickControl) = kSysTickOn;
}

board::Identity Cm4Board::Who() const {
  return {wire::TextOf(SPIKEDAQ_VERSION), wire::TextOf(SPIKEDAQ_BUILD_HASH), wire::TextOf("qemu_cm4"),
          wire::Bytes{unique_id_, sizeof unique_id_}, wire::kProtocolMajor};
}

// The timer's 32 bits last 171 s, and this is called in each step.
uint64_t Cm4Board::Cycles() {
  const uint32_t count = Register(kTimerValue);
  cycles_ += static_cast<uint32_t>(last_count_ - count);
  last_count_ = count;
  return cycles_;
}

uint64_t Cm4Board::Tick() { return Cycles() / kCyclesPerUs; }

void Cm4Board::ReadInputs(Inputs<float>* inputs) {
  inputs->photodiode_drive = inputs_.light();
  inputs->current_in = inputs_.current_in();
  if (!inputs_.is_on()) return;
  // Light in the second quarter of 10,000 steps, a ramp of current in the third, spikes on both synapses in the last.
  const uint32_t at = static_cast<uint32_t>(step_ % 10000);
  if (at >= 2500 && at < 5000) inputs->photodiode_drive += 4;
  if (at >= 5000 && at < 7500) inputs->current_in += static_cast<float>(at - 5000) * 0.01f;
  inputs->syn1_level = at >= 7500 && at % 500 < 10;
  inputs->syn2_level = at >= 7500 && at % 300 < 10;
  inputs->syn1_vm_mv = inputs->syn1_level ? 30.0f : -70.0f;
  inputs->syn2_vm_mv = inputs->syn2_level ? 30.0f : -70.0f;
}

size_t Cm4Board::Write(const uint8_t* bytes, size_t n) { return WriteUart(bytes, n); }
size_t Cm4Board::Read(uint8_t* bytes, size_t n) { return ReadUart(bytes, n); }

void Cm4Board::Sleep() {
  const uint64_t before = Cycles();
  WaitForInterrupt();
  slept_ += Cycles() - before;
}

uint16_t Cm4Board::CpuPermille() {
  const uint64_t now = Cycles();
  const uint64_t elapsed = now - asked_at_;
  const uint64_t busy = elapsed - (slept_ - slept_before_);
  asked_at_ = now;
  slept_before_ = slept_;
  return elapsed == 0 ? uint16_t{0} : static_cast<uint16_t>(busy * 1000 / elapsed);
}

bool Cm4Board::ReadProbe(uint8_t index, board::Probe* probe) {
  if (index + 1 >= inputs_.count()) return false;  // the switch is nothing that is read
  const float value = inputs_.Value(index);
  const command::ParameterSpec spec = inputs_.Spec(index);
  *probe = {wire::TextOf(spec.name), static_cast<int32_t>(value), value, wire::TextOf(spec.unit), 0};
  return true;
}

}  // namespace cm4
}  // namespace spikedaq
