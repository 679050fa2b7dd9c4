/// A board with an ESP32 on a chip of memory: two cores that take turns, and a host's view of the link.
#ifndef SPIKEDAQ_TEST_ESP32_ESP_BENCH_H_
#define SPIKEDAQ_TEST_ESP32_ESP_BENCH_H_

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "../command/bench.h"
#include "esp32/runner.h"
#include "esp32/start.h"
#include "fake_chip.h"
#include "v2_esp32/profile.h"
#include "v3_esp32s3/profile.h"

namespace testing {

inline const std::vector<const esp32::Profile*>& AllProfiles() {
  static const std::vector<const esp32::Profile*> all = {&v2_esp32::kProfile, &v3_esp32s3::kProfileA,
                                                         &v3_esp32s3::kProfileB, &v3_esp32s3::kProfileC};
  return all;
}

struct EspBench {
  const esp32::Profile& profile;
  esp32::Buffers<8, 32, 100, 8192, 16, 8192> buffers;
  std::unique_ptr<esp32::Runner> runner;
  std::vector<std::vector<uint8_t>> messages;
  size_t seen_bytes = 0;
  uint8_t decoded[CobsBound(kMaxDeviceFrameBytes)];
  FrameDecoder decoder{decoded, kMaxDeviceFrameBytes};

  /// @param[in] counts  What stands at every analogue input as the board starts.
  explicit EspBench(const esp32::Profile& p, uint16_t counts = 2048) : profile(p) {
    chip = FakeChip();
    for (auto& adc : chip.analogue) {
      for (uint16_t& input : adc) input = counts;
    }
    runner.reset(new esp32::Runner(profile, buffers.Memory()));
    runner->Begin();
    chip.conversions.clear();
    chip.now_us = device().next_tick();
  }

  board::Device& device() { return runner->device(); }
  /// Time goes on by a step, and both cores do what is due.
  void Step() {
    runner->io().Tick(chip.now_us);
    runner->Once();
    chip.now_us += device().neuron_parameters().step_us();
  }
  void Steps(int n) {
    for (int k = 0; k < n; ++k) Step();
  }
  uint16_t& At(const char* name) {
    for (uint8_t i = 0; i < profile.n_inputs; ++i) {
      if (std::string(profile.inputs[i].name) == name) {
        return chip.analogue[profile.inputs[i].chip][profile.inputs[i].channel];
      }
    }
    FAIL("there is no such input");
    return chip.analogue[0][0];
  }
  int Pin(esp32::PinRole role) const { return profile.pins.at[role]; }
  uint8_t Index(const char* name) { return static_cast<uint8_t>(device().parameters().Find(TextOf(name))); }
  float Value(const char* name) { return device().parameters().Value(Index(name)); }
  void Set(const char* name, float value) { device().parameters().Set(Index(name), false, value); }

  void Collect() {
    for (; seen_bytes < chip.from_board.size(); ++seen_bytes) {
      if (decoder.Take(chip.from_board[seen_bytes]) != FrameDecoder::Result::kMessage) continue;
      messages.emplace_back(decoder.message().data, decoder.message().data + decoder.message().size);
    }
  }
  template <class M>
  void Send(const M& message) {
    uint8_t bytes[512], frame[600];
    Writer w(bytes, sizeof bytes - kCrcBytes);
    Encode(message, w);
    const size_t n = EncodeFrame(bytes, w.size(), frame);
    chip.to_board.insert(chip.to_board.end(), frame, frame + n);
    runner->Once();
  }
  /// All messages of one type so far, oldest first; texts and bytes stay valid until more are collected.
  template <class M>
  std::vector<M> All() {
    Collect();
    std::vector<M> found;
    for (const std::vector<uint8_t>& bytes : messages) {
      M m;
      if (Decode(Bytes{bytes.data(), bytes.size()}, &m) == Status::kOk) found.push_back(m);
    }
    return found;
  }
};

}  // namespace testing

#endif  // SPIKEDAQ_TEST_ESP32_ESP_BENCH_H_
