#include "esp32/io.h"

#include <initializer_list>

#include "esp32/hal.h"
#include "neuron/knobs.h"

namespace spikedaq {
namespace esp32 {
namespace {

// Devices on the bus; the first two are also AdcInput::chip.
constexpr uint8_t kDacDevice = 2;

// Microchip, MCP3208: at most 1 MHz at 2.7 V, 2 MHz at 5 V. MCP4922: at most 20 MHz.
constexpr uint32_t kAdcHz = 1000000;
constexpr uint32_t kDacHz = 16000000;

// No code that is ever written, so that the first one is.
constexpr uint16_t kNeverWritten = 0xFFFF;

}  // namespace

bool FrameRing::Put(const Frame& frame) {
  const uint32_t put = put_.load(std::memory_order_relaxed);
  if (put - taken_.load(std::memory_order_acquire) == kFrames) return false;
  frames_[put % kFrames] = frame;
  put_.store(put + 1, std::memory_order_release);
  return true;
}

bool FrameRing::Take(Frame* frame) {
  const uint32_t taken = taken_.load(std::memory_order_relaxed);
  if (put_.load(std::memory_order_acquire) == taken) return false;
  *frame = frames_[taken % kFrames];
  taken_.store(taken + 1, std::memory_order_release);
  return true;
}

// -110 mV, and 0 %, until the model says otherwise.
Io::Io(const Profile& profile)
    : profile_(profile),
      rotation_(profile),
      axon_{0},
      stimulus_{static_cast<uint16_t>(kAdcCentre)},
      axon_written_(kNeverWritten),
      stimulus_written_(kNeverWritten) {}

void Io::Begin() {
  const Pins& pins = profile_.pins;
  hal::SpiBegin(pins.at[kSck], pins.at[kMosi], pins.at[kMiso]);
  hal::SpiAttach(0, pins.at[kCsAdc1], kAdcHz);
  hal::SpiAttach(1, pins.at[kCsAdc2], kAdcHz);
  if (profile_.dac == Dac::kMcp4922) hal::SpiAttach(kDacDevice, pins.at[kCsDac], kDacHz);
  for (const PinRole role : {kSyn1Pulse, kSyn2Pulse}) {
    if (pins.Has(role)) hal::Input(pins.at[role], false);
  }
  // v2's button has a resistor of its own, on a pin that could not pull; v3's have none.
  for (const PinRole role : {kModeButton, kBuzzerButton, kLedButton}) {
    if (pins.Has(role)) hal::Input(pins.at[role], role != kModeButton);
  }
  for (uint8_t i = 0; i < profile_.n_inputs; ++i) first_counts_[i] = Convert(i);
}

// MCP3208: start bit, single-ended, three bits of channel; the answer is the last twelve of the 24 bits.
uint16_t Io::Convert(uint8_t input) {
  const uint8_t channel = profile_.inputs[input].channel;
  uint8_t bytes[3] = {static_cast<uint8_t>(0x06 | channel >> 2), static_cast<uint8_t>(channel << 6), 0};
  hal::SpiTransfer(profile_.inputs[input].chip, bytes, sizeof bytes);
  return static_cast<uint16_t>((bytes[1] & 0x0F) << 8 | bytes[2]);
}

// MCP4922: which converter, unbuffered, gain 1, switched on, twelve bits.
void Io::WriteDac(uint8_t channel, uint16_t code, uint16_t* written) {
  if (code == *written) return;
  *written = code;
  uint8_t bytes[2] = {static_cast<uint8_t>(channel << 7 | 0x30 | code >> 8), static_cast<uint8_t>(code)};
  hal::SpiTransfer(kDacDevice, bytes, sizeof bytes);
}

uint32_t Io::ReadLevels() const {
  uint32_t levels = 0;
  for (const PinRole role : {kSyn1Pulse, kSyn2Pulse, kModeButton, kBuzzerButton, kLedButton}) {
    if (profile_.pins.Has(role) && hal::Read(profile_.pins.at[role])) levels |= 1u << role;
  }
  return levels;
}

uint32_t Io::SetSchedule(uint64_t first_us, uint32_t step_us) {
  const uint32_t epoch = epoch_wanted_.load(std::memory_order_relaxed) + 1;
  schedules_[epoch % 2] = Schedule{first_us, step_us};
  epoch_wanted_.store(epoch, std::memory_order_release);
  return epoch;
}

void Io::AdoptSchedule() {
  uint32_t wanted = epoch_wanted_.load(std::memory_order_acquire);
  while (wanted != epoch_) {
    const Schedule schedule = schedules_[wanted % 2];
    const uint32_t still = epoch_wanted_.load(std::memory_order_acquire);
    if (still != wanted) {
      wanted = still;
      continue;
    }
    epoch_ = wanted;
    number_ = 0;
    due_us_ = schedule.first_us;
    step_us_ = schedule.step_us;
  }
}

bool Io::Tick(uint64_t now_us) {
  AdoptSchedule();
  if (epoch_ == 0 || now_us < due_us_) return false;
  const uint32_t late = static_cast<uint32_t>((now_us - due_us_) / step_us_);
  number_ += late;
  due_us_ += uint64_t{late} * step_us_;

  Frame frame;
  frame.epoch = epoch_;
  frame.number = number_;
  // Outputs first: what is wired back into an input acts in this step.
  if (profile_.dac == Dac::kMcp4922) {
    WriteDac(1, stimulus_.load(std::memory_order_relaxed), &stimulus_written_);
    WriteDac(0, axon_.load(std::memory_order_relaxed), &axon_written_);
  }
  rotation_.Next(frame.inputs);
  for (uint8_t k = 0; k < kConversionsPerStep; ++k) {
    frame.counts[k] = frame.inputs[k] == kNoInput ? uint16_t{0} : Convert(frame.inputs[k]);
  }
  frame.levels = ReadLevels();
  ring_.Put(frame);
  ++number_;
  due_us_ += step_us_;
  const uint32_t busy = static_cast<uint32_t>(hal::Microseconds() - now_us);
  busy_us_.store(busy_us_.load(std::memory_order_relaxed) + busy, std::memory_order_relaxed);
  return true;
}

}  // namespace esp32
}  // namespace spikedaq
