/// Starts the firmware on both cores of an ESP32.
#ifndef SPIKEDAQ_ESP32_START_H_
#define SPIKEDAQ_ESP32_START_H_

#include "board/device.h"
#include "esp32/profile.h"

namespace spikedaq {
namespace esp32 {

/// Core 0 computes and serves the link, core 1 keeps time. Returns; both go on for ever. Called once.
void Start(const Profile& profile, const board::Memory& memory);

/// The memory of a board, sized when it is compiled. Block capacity and default are 100 samples: 10 ms at 10 kHz.
template <uint16_t kBlocks, uint16_t kEvents, uint32_t kWaveformRows, size_t kRingBytes, uint16_t kHistoryFrames,
          size_t kHistoryBytes>
struct Buffers {
  static constexpr uint16_t kMaxRequestBytes = 1024;
  static constexpr uint16_t kBlockSamples = 100;
  static constexpr size_t kScratchBytes = 2 * kBlockSamples * kChannelCount + 64;
  static_assert(kRingBytes >= 2 * wire::FrameBound(kScratchBytes), "two of the largest frames must fit");

  uint8_t request[wire::CobsBound(kMaxRequestBytes)];
  uint8_t scratch[kScratchBytes];
  uint8_t ring[kRingBytes];
  sampling::BlockHead block_heads[kBlocks];
  int16_t block_values[size_t{kBlocks} * kBlockSamples * kChannelCount];
  board::Event events[kEvents];
  int16_t waveform_rows[kWaveformRows];
  uint8_t waveform_bits[(kWaveformRows + 7) / 8];
  uint8_t history_bytes[kHistoryBytes];
  wire::HistoryEntry history_entries[kHistoryFrames];
  wire::History history{history_bytes, kHistoryBytes, history_entries, kHistoryFrames};

  board::Memory Memory() {
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
    m.block_capacity = kBlockSamples;
    m.default_block_samples = kBlockSamples;
    m.events = events;
    m.n_events = kEvents;
    m.waveform_rows = waveform_rows;
    m.waveform_bits = waveform_bits;
    m.waveform_capacity = kWaveformRows;
    m.history = &history;
    return m;
  }
};

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_START_H_
