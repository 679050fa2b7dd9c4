// spikedaq-cm4: the firmware as a 32-bit board has it, in QEMU. Steps are made in the main loop when they are due.
#include "board/device.h"
#include "cm4_board.h"
#include "registers.h"
#include "semihosting.h"

namespace spikedaq {
namespace cm4 {
namespace {

constexpr uint16_t kBlocks = 24;  // wait for the link, and one is open: 0.24 s at 10 kHz
constexpr uint16_t kDefaultBlockSamples = 100;
constexpr uint16_t kMaxBlockSamples = 100;
constexpr uint16_t kEvents = 64;
constexpr uint32_t kWaveformRows = 50000;  // 5 s at 10 kHz
constexpr uint16_t kMaxRequestBytes = 1024;
constexpr uint32_t kStepUs = 100;
constexpr uint16_t kResendDepth = 128;  // frames, in a memory like that of a v3 board
constexpr size_t kResendBytes = 96 * 1024;
constexpr int kCatchUpSteps = 50;  // when late, the link is looked after between so many steps

uint8_t request[wire::CobsBound(kMaxRequestBytes)];
uint8_t scratch[wire::kMaxDeviceFrameBytes];
uint8_t ring[2 * wire::FrameBound(wire::kMaxDeviceFrameBytes)];
sampling::BlockHead block_heads[kBlocks];
int16_t block_values[size_t{kBlocks} * kMaxBlockSamples * kChannelCount];
board::Event events[kEvents];
int16_t waveform_rows[kWaveformRows];
uint8_t waveform_bits[(kWaveformRows + 7) / 8];
uint8_t history_bytes[kResendBytes];
wire::HistoryEntry history_entries[kResendDepth];
wire::History history(history_bytes, sizeof history_bytes, history_entries, kResendDepth);

board::Memory AllMemory() {
  board::Memory m = {};
  m.request = request;
  m.max_request_bytes = kMaxRequestBytes;
  m.scratch = scratch;
  m.scratch_bytes = sizeof scratch;
  m.ring = ring;
  m.ring_bytes = sizeof ring;
  m.block_heads = block_heads;
  m.block_values = block_values;
  m.n_blocks = kBlocks;
  m.block_capacity = kMaxBlockSamples;
  m.default_block_samples = kDefaultBlockSamples;
  m.events = events;
  m.n_events = kEvents;
  m.waveform_rows = waveform_rows;
  m.waveform_bits = waveform_bits;
  m.waveform_capacity = kWaveformRows;
  m.history = &history;
  return m;
}

}  // namespace
}  // namespace cm4
}  // namespace spikedaq

// Arguments: id=HEX, boot_id=N, seed=N; and steps=N, which makes a run that needs no host: script and noise are on,
// blocks are sent from the first step on, and after N steps the simulator ends. Under -icount such a run gives the same
// bytes always.
int main() {
  using namespace spikedaq;
  using namespace spikedaq::cm4;
  static Cm4Board board(Argument("id", 16, 0x5350494B45434D34u));
  static board::Device device(&board, AllMemory(), {kStepUs, Argument("seed", 10, 1)});
  uint32_t boot_id = static_cast<uint32_t>(Argument("boot_id", 10, 1));
  const uint64_t last_step = Argument("steps", 10, 0);
  device.Boot(boot_id);
  if (last_step > 0) {
    command::ParameterTable& table = device.parameters();
    table.Set(static_cast<uint8_t>(table.Find(wire::TextOf("virtual_script"))), false, 1);
    table.Set(static_cast<uint8_t>(table.Find(wire::TextOf("noise_sd"))), false, 1);
    uint64_t first_step = 0;
    device.Start(0, &first_step);
  }
  for (;;) {
    for (int done = 0; done < kCatchUpSteps && device.next_tick() <= board.Tick(); ++done) {
      if (last_step > 0 && device.step() == last_step) break;
      device.Step();
    }
    device.Pump();
    if (device.reboot_wanted()) device.Boot(++boot_id);
    if (last_step > 0 && device.step() == last_step) {
      device.Stop();
      device.Pump();
      if (device.drained()) Exit(true);
    }
    // With interrupts masked, a byte or a tick that comes between looking and sleeping ends the sleep at once.
    DisableInterrupts();
    if (device.next_tick() > board.Tick()) board.Sleep();
    EnableInterrupts();
  }
}
