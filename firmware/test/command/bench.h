/// A device on a board of cardboard: its link is memory, its clock stands still unless it is moved.
#ifndef SPIKEDAQ_TEST_COMMAND_BENCH_H_
#define SPIKEDAQ_TEST_COMMAND_BENCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "board/device.h"
#include "wire/crc32.h"
#include "wire/message_codec.h"
#include "wire/packed.h"

namespace testing {

using namespace spikedaq;
using namespace spikedaq::wire;

class CardboardBoard final : public board::Board {
 public:
  std::vector<uint8_t> to_device, from_device;
  size_t room = SIZE_MAX;  ///< Bytes that the link still takes.
  uint64_t tick = 0;
  uint64_t boot_tick = 0xFFFFFF00u;
  std::function<void()> interrupt;  ///< What may happen whenever no step is held up.
  bool held = false;
  bool held_twice = false;

  void HoldSteps() override {
    held_twice |= held;
    held = true;
  }
  void ReleaseSteps() override {
    held = false;
    Interrupt();
  }
  uint8_t n_probes = 2;
  const char* probe_name = "photodiode";

  board::Identity Who() const override {
    static const uint8_t id[4] = {1, 2, 3, 4};
    return {TextOf("0.0.1"), TextOf("test"), TextOf("cardboard"), Bytes{id, 4}, kProtocolMajor};
  }
  uint64_t Tick() override {
    Interrupt();
    return tick;
  }
  uint64_t TickAtBoot() override { return boot_tick; }
  size_t Write(const uint8_t* bytes, size_t n) override {
    Interrupt();
    const size_t taken = n < room ? n : room;
    from_device.insert(from_device.end(), bytes, bytes + taken);
    room -= taken;
    return taken;
  }
  size_t Read(uint8_t* bytes, size_t n) override {
    Interrupt();
    size_t k = 0;
    for (; k < n && read_ < to_device.size(); ++k) bytes[k] = to_device[read_++];
    return k;
  }
  void SetStimulus(float) override {}
  void ReadInputs(Inputs<float>*) override {}
  void SetOutputs(const board::Outputs&) override {}
  uint16_t CpuPermille() override { return 7; }
  bool ReadProbe(uint8_t index, board::Probe* probe) override {
    if (index >= n_probes) return false;
    *probe = {TextOf(probe_name), -70000 + index, 1.5f, TextOf("V"), 100000u * index};
    return true;
  }
  command::ParameterBank* parameters() override { return nullptr; }
  void Configure(command::ParameterTable*, command::NeuronParameters*) override {}

 private:
  void Interrupt() {
    if (!interrupt || held || interrupting_) return;
    interrupting_ = true;
    interrupt();
    interrupting_ = false;
  }

  bool interrupting_ = false;
  size_t read_ = 0;
};

/// The device with its memory, and a host's view of it.
struct Bench {
  static constexpr uint16_t kBlocks = 3;
  static constexpr uint16_t kCapacity = 50;
  uint8_t request[CobsBound(128)];
  uint8_t scratch[1200];
  uint8_t ring[3 * FrameBound(1200)];
  sampling::BlockHead heads[kBlocks];
  int16_t values[kBlocks * kCapacity * kChannelCount];
  board::Event events[8];
  int16_t rows[20];
  uint8_t bits[3];
  CardboardBoard board;
  board::Device device;
  std::vector<std::vector<uint8_t>> messages;  ///< Received and not looked at, without CRC.
  size_t seen_bytes = 0;
  uint8_t decoded[CobsBound(kMaxDeviceFrameBytes)];
  FrameDecoder decoder{decoded, kMaxDeviceFrameBytes};

  explicit Bench(History* history = nullptr, uint8_t slices_per_pump = 0)
      : device(&board,
               {request, 128, scratch, sizeof scratch, ring, sizeof ring, heads, values, kBlocks, kCapacity, 10, events,
                8, rows, bits, 20, history},
               {100, 1, slices_per_pump}) {
    device.Boot(77);
    Pump();
    messages.clear();
  }

  void Pump() {
    device.Pump();
    for (; seen_bytes < board.from_device.size(); ++seen_bytes) {
      if (decoder.Take(board.from_device[seen_bytes]) != FrameDecoder::Result::kMessage) continue;
      messages.emplace_back(decoder.message().data, decoder.message().data + decoder.message().size);
    }
  }
  template <class M>
  void Send(const M& message) {
    uint8_t bytes[512], frame[600];
    Writer w(bytes, sizeof bytes - kCrcBytes);
    Encode(message, w);
    const size_t n = EncodeFrame(bytes, w.size(), frame);
    board.to_device.insert(board.to_device.end(), frame, frame + n);
    Pump();
  }
  void SendBytes(std::vector<uint8_t> message) {
    const size_t n = message.size();
    message.resize(n + kCrcBytes);
    std::vector<uint8_t> frame(FrameBound(n));
    frame.resize(EncodeFrame(message.data(), n, frame.data()));
    board.to_device.insert(board.to_device.end(), frame.begin(), frame.end());
    Pump();
  }
  void Steps(int n) {
    for (int k = 0; k < n; ++k) {
      device.Step();
      device.Pump();
    }
    Pump();
  }
  /// Takes all messages of one type, oldest first; the others stay.
  template <class M>
  std::vector<M> Take() {
    std::vector<M> taken;
    static std::vector<std::vector<uint8_t>> kept;  // texts and bytes point into these
    kept.clear();
    std::vector<std::vector<uint8_t>> others;
    for (std::vector<uint8_t>& bytes : messages) {
      M m;
      if (Decode(Bytes{bytes.data(), bytes.size()}, &m) != Status::kOk) {
        others.push_back(bytes);
        continue;
      }
      kept.push_back(bytes);
      Decode(Bytes{kept.back().data(), kept.back().size()}, &m);
      taken.push_back(m);
    }
    messages = others;
    return taken;
  }
  /// The code of the only reply that has come.
  int Code(uint32_t request_id) {
    const std::vector<Reply> replies = Take<Reply>();
    if (replies.size() != 1 || replies[0].request_id != request_id) return -1;
    return replies[0].code;
  }
  uint8_t Index(const char* name) { return static_cast<uint8_t>(device.parameters().Find(TextOf(name))); }
  float Value(const char* name) { return device.parameters().Value(Index(name)); }
};

/// The values of a block, channel by channel; empty if its payload is malformed.
inline std::vector<int16_t> SamplesOf(const Block& block) {
  std::vector<int16_t> values(size_t{block.n} * kChannelCount);
  if (block.codec == kCodecPacked) {
    if (UnpackBlock(block.payload, block.n, kChannelCount, values.data()) != Status::kOk) values.clear();
    return values;
  }
  if (block.codec != kCodecRaw || block.payload.size != 2 * values.size()) return {};
  for (size_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<int16_t>(block.payload.data[2 * k] | block.payload.data[2 * k + 1] << 8);
  }
  return values;
}

/// Makes the pairs of a set request.
class SetRequest {
 public:
  explicit SetRequest(uint32_t id) : id_(id) {}
  SetRequest& Add(uint8_t index, float value) {
    items_.Unsigned(index);
    items_.Float(value);
    n_ += 2;
    return *this;
  }
  SetRequest& HandBack(uint8_t index) {
    items_.Unsigned(index);
    items_.Nil();
    n_ += 2;
    return *this;
  }
  Set Message() {
    Writer w(whole_, sizeof whole_);
    w.Array(n_);
    w.Item(Raw{items_.data(), items_.size()});
    return Set{id_, Raw{w.data(), w.size()}};
  }

 private:
  uint32_t id_;
  uint32_t n_ = 0;
  uint8_t bytes_[100];
  uint8_t whole_[110];
  Writer items_{bytes_, sizeof bytes_};
};

}  // namespace testing

#endif  // SPIKEDAQ_TEST_COMMAND_BENCH_H_
