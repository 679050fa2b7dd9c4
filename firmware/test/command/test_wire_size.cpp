// Bytes on the wire per sample of eight channels, with everything that a device sends: blocks, events, status, framing.
#include <doctest/doctest.h>

#include <cstdio>
#include <random>
#include <vector>

#include "bench.h"
#include "neuron/jacks.h"
#include "neuron/neuron.h"

using namespace testing;

namespace {

constexpr uint16_t kBlockSamples = 100;
constexpr uint32_t kSteps = 100000;  // ten seconds at 10 kHz
constexpr uint64_t kHz = 10000;
constexpr double kUartBytesPerSecond = 921600.0 / 10;  // ten bits for a byte

/// What is plugged in. Two other neurons stand for presynaptic boards; their potentials come through converters of 12
/// bits, as on a real one.
struct Cables {
  float light_on = 0, light_off = 0;  // by turns of 150 ms
  bool synapses = false;
};

class CableBoard final : public board::Board {
 public:
  explicit CableBoard(const Cables& cables) : cables_(cables) {}
  uint64_t bytes = 0;
  std::vector<uint8_t> to_device;

  board::Identity Who() const override {
    static const uint8_t id[4] = {1, 2, 3, 4};
    return {TextOf("0.0.1"), TextOf("test"), TextOf("cables"), Bytes{id, 4}, kProtocolMajor};
  }
  uint64_t Tick() override { return 0; }
  uint64_t TickAtBoot() override { return 3000000000u; }  // as wide as ticks are, most of the time
  size_t Write(const uint8_t*, size_t n) override {
    bytes += n;
    return n;
  }
  size_t Read(uint8_t* to, size_t n) override {
    size_t k = 0;
    for (; k < n && read_ < to_device.size(); ++k) to[k] = to_device[read_++];
    return k;
  }
  void SetStimulus(float) override {}
  void ReadInputs(Inputs<float>* inputs) override {
    ++step_;
    inputs->photodiode_drive = step_ / 1500 % 2 == 1 ? cables_.light_on : cables_.light_off;
    if (!cables_.synapses) return;
    Inputs<float> none;
    const Sample<float> a = pre1_.Step(none), b = pre2_.Step(none);
    inputs->syn1_level = a.axon_level;
    inputs->syn2_level = b.axon_level;
    inputs->syn1_vm_mv = Converted(a.vm);
    inputs->syn2_vm_mv = Converted(b.vm);
  }
  void SetOutputs(const board::Outputs&) override {}
  uint16_t CpuPermille() override { return 0; }
  bool ReadProbe(uint8_t, board::Probe*) override { return false; }
  command::ParameterBank* parameters() override { return nullptr; }
  void Configure(command::ParameterTable*, command::NeuronParameters*) override {}
  Neuron<float>& pre1() { return pre1_; }
  Neuron<float>& pre2() { return pre2_; }

 private:
  static float Converted(float vm) { return SynapseVm(static_cast<float>(AxonCode(vm))); }
  const Cables cables_;
  Neuron<float> pre1_{11};
  Neuron<float> pre2_{12};
  uint64_t step_ = 0;
  size_t read_ = 0;
};

struct Setting {
  const char* name;
  float value;
};

/// The whole firmware with the memory of a virtual board.
struct Streaming {
  std::vector<uint8_t> request = std::vector<uint8_t>(CobsBound(512)), scratch = std::vector<uint8_t>(4096),
                       ring = std::vector<uint8_t>(3 * FrameBound(4096));
  std::vector<sampling::BlockHead> heads = std::vector<sampling::BlockHead>(4);
  std::vector<int16_t> values = std::vector<int16_t>(size_t{4} * kBlockSamples * kChannelCount);
  std::vector<board::Event> events = std::vector<board::Event>(64);
  CableBoard board;
  board::Device device;

  explicit Streaming(const Cables& cables)
      : board(cables),
        device(&board,
               {request.data(), 512, scratch.data(), scratch.size(), ring.data(), ring.size(), heads.data(),
                values.data(), 4, kBlockSamples, kBlockSamples, events.data(), 64, nullptr, nullptr, 0, nullptr},
               {100, 1}) {
    device.Boot(0x80000000u);
  }
  double BytesPerSample(const std::vector<Setting>& settings) {
    for (const Setting& setting : settings) {
      const int16_t index = device.parameters().Find(TextOf(setting.name));
      REQUIRE(index >= 0);
      device.parameters().Set(static_cast<uint8_t>(index), false, setting.value);
    }
    for (int k = 0; k < 2000; ++k) device.Step(), device.Pump();  // what was just switched on settles
    uint64_t first_step = 0;
    REQUIRE(device.Start(0, &first_step) == ReplyCode::kOk);
    board.bytes = 0;
    for (uint32_t k = 0; k < kSteps; ++k) device.Step(), device.Pump();
    REQUIRE(device.drained());
    REQUIRE(device.sampler().overrun_samples() == 0);
    return static_cast<double>(board.bytes) / kSteps;
  }
};

double Report(const char* name, double bytes_per_sample) {
  std::printf("wire: %-8s %5.2f bytes per sample of 8 channels, %6.0f bytes/s at 10 kHz, %4.1f %% of 921600 baud\n",
              name, bytes_per_sample, bytes_per_sample * kHz, 100 * bytes_per_sample * kHz / kUartBytesPerSecond);
  return bytes_per_sample;
}

}  // namespace

TEST_CASE("wire size: what each signal costs, and 10 kHz fits 921600 baud") {
  CHECK(Report("rest", Streaming({}).BytesPerSample({})) <= 1);
  CHECK(Report("square", Streaming({}).BytesPerSample({{"stim_strength", 50}})) <= 1.5);
  // Tonic firing at 12 spikes a second; 21 still cost no more than 1.5, and 27 this:
  CHECK(Report("quiet", Streaming({}).BytesPerSample({{"i_clamp", 5}})) <= 1.5);
  CHECK(Report("fast", Streaming({}).BytesPerSample({{"i_clamp", 10}})) <= 2);
  CHECK(Report("noise", Streaming({}).BytesPerSample({{"noise_sd", 3}, {"i_clamp", 10}})) <= 3.5);

  const auto busy = [](float presynaptic_current, float noise_sd) {
    Cables cables;
    cables.light_on = 2;
    cables.synapses = true;
    Streaming streaming(cables);
    streaming.board.pre1().SetPreset(2);  // one bursts, one fires
    streaming.board.pre1().parameters().i_clamp = presynaptic_current;
    streaming.board.pre2().parameters().i_clamp = presynaptic_current;
    return streaming.BytesPerSample({{"preset", 2},
                                     {"i_clamp", 10},
                                     {"noise_sd", noise_sd},
                                     {"photo_gain", 2},
                                     {"syn1_gain", 4},
                                     {"syn2_gain", -3},
                                     {"stim_strength", 50}});
  };
  CHECK(Report("dense", busy(5, 0)) <= 5.5);
  // Everything at once and twice as fast: above the aim for a dense signal, and still on the wire in time.
  const double most = Report("hardest", busy(10, 5));
  CHECK(most > 5.5);
  CHECK(most * kHz < kUartBytesPerSecond);
}

TEST_CASE("wire size: random samples cost what raw ones do, framing and all") {
  std::mt19937 random(7);
  size_t raw_bytes = 0, bytes = 0;
  for (int block = 0; block < 300; ++block) {
    std::vector<sampling::BlockHead> heads(2);
    std::vector<int16_t> values(size_t{2} * kBlockSamples * kChannelCount);
    sampling::Sampler sampler(heads.data(), values.data(), 2, kBlockSamples, kChannelCount);
    sampler.Start(kBlockSamples);
    for (uint16_t k = 0; k < kBlockSamples; ++k) {
      int16_t row[kChannelCount];
      for (int16_t& value : row) value = static_cast<int16_t>(random());
      sampler.Push(1000000 + k, 100000000 + k, 100, row, false);
    }
    for (const bool raw : {true, false}) {
      uint8_t message[4096], frame[FrameBound(4096)];
      Writer w(message, sizeof message - kCrcBytes);
      sampling::EncodeOldest(sampler, 10000, w, raw ? 1 : kCodecs);
      REQUIRE(w.ok());
      (raw ? raw_bytes : bytes) += EncodeFrame(message, w.size(), frame);
    }
  }
  Report("random", static_cast<double>(bytes) / (300 * kBlockSamples));
  CHECK(static_cast<double>(bytes) <= 1.02 * static_cast<double>(raw_bytes));
}
