// A whole device whose host sends anything: steps, pumps, stalls, restarts of the link and reboots between the bytes.
// Whatever comes, what the device sends is good frames, numbered without a gap but for those that it sends again, and
// samples that are consecutive but for counted overruns.
#include <memory>
#include <vector>

#include "board/device.h"
#include "fuzz.h"
#include "wire/message_codec.h"
#include "wire/packed.h"

using fuzz::Require;
using namespace spikedaq;
using namespace spikedaq::wire;

namespace {

class FuzzBoard final : public board::Board {
 public:
  const uint8_t* data = nullptr;
  size_t size = 0;  ///< Bytes that the host has sent and nobody has read.
  size_t room = 0;  ///< Bytes that the link takes.
  std::vector<uint8_t> sent;

  board::Identity Who() const override {
    static const uint8_t id[4] = {1, 2, 3, 4};
    return {TextOf("0.0.1"), TextOf("fuzz"), TextOf("fuzz"), Bytes{id, 4}, kProtocolMajor};
  }
  uint64_t Tick() override { return tick_ += 7; }
  uint64_t TickAtBoot() override { return 0xFFFFFF00u; }
  size_t Write(const uint8_t* bytes, size_t n) override {
    n = n < room ? n : room;
    sent.insert(sent.end(), bytes, bytes + n);
    room -= n;
    return n;
  }
  size_t Read(uint8_t* bytes, size_t n) override {
    n = n < size ? n : size;
    for (size_t k = 0; k < n; ++k) bytes[k] = data[k];
    data += n;
    size -= n;
    return n;
  }
  void SetStimulus(float) override {}
  void ReadInputs(Inputs<float>*) override {}
  void SetOutputs(const board::Outputs&) override {}
  uint16_t CpuPermille() override { return 7; }
  bool ReadProbe(uint8_t, board::Probe*) override { return false; }
  command::ParameterBank* parameters() override { return nullptr; }
  void Configure(command::ParameterTable*, command::NeuronParameters*) override {}

 private:
  uint64_t tick_ = 0;
};

/// Everything on the heap, each piece by itself, so that a step beyond any is seen.
struct Fuzzed {
  static constexpr uint16_t kBlocks = 3, kCapacity = 40, kRows = 16, kDepth = 12;
  std::vector<uint8_t> request = std::vector<uint8_t>(CobsBound(256)), scratch = std::vector<uint8_t>(900),
                       ring = std::vector<uint8_t>(3 * FrameBound(900)), bits = std::vector<uint8_t>(2),
                       history_bytes = std::vector<uint8_t>(1500), decoded = std::vector<uint8_t>(CobsBound(900));
  std::vector<sampling::BlockHead> heads = std::vector<sampling::BlockHead>(kBlocks);
  std::vector<int16_t> values = std::vector<int16_t>(size_t{kBlocks} * kCapacity * kChannelCount),
                       rows = std::vector<int16_t>(kRows);
  std::vector<board::Event> events = std::vector<board::Event>(6);
  std::vector<HistoryEntry> entries = std::vector<HistoryEntry>(kDepth);
  History history{history_bytes.data(), history_bytes.size(), entries.data(), kDepth};
  FuzzBoard board;
  std::unique_ptr<board::Device> device;
  FrameDecoder decoder{decoded.data(), 900};
  uint32_t next_seq = 0;
  uint64_t next_step = 0;
  size_t seen = 0;

  explicit Fuzzed(uint8_t slices) {
    device.reset(new board::Device(
        &board,
        {request.data(), 256, scratch.data(), scratch.size(), ring.data(), ring.size(), heads.data(), values.data(),
         kBlocks, kCapacity, kCapacity / 2, events.data(), 6, rows.data(), bits.data(), kRows, &history},
        {100, 1, slices}));
    device->Boot(1);
  }

  void Boot() {
    // What waits is from before the boot; it goes out first, so that numbers can be told apart.
    Drain();
    Listen();
    device->Boot(device->boot_id() + 1);
    next_seq = 0;
    next_step = 0;
  }
  void Drain() {
    board.room = SIZE_MAX;
    device->Pump();
    board.room = 0;
  }
  void Listen() {
    for (; seen < board.sent.size(); ++seen) {
      const FrameDecoder::Result result = decoder.Take(board.sent[seen]);
      Require(result != FrameDecoder::Result::kBad);
      if (result == FrameDecoder::Result::kMessage) Check(decoder.message());
    }
    seen = 0;
    board.sent.clear();
  }
  void Check(Bytes message) {
    Reader reader(message.data, message.size);
    uint8_t type = 0;
    uint32_t n = 0;
    uint64_t seq = 0;
    Require(ReadType(reader, &type, &n) == Status::kOk && type >= 1 && type <= 8);
    Require(reader.Unsigned(UINT32_MAX, &seq) == Status::kOk);
    Raw whole;
    Reader all(message.data, message.size);
    Require(all.Item(&whole) == Status::kOk && all.left() == 0);
    if (seq < next_seq) return;  // sent again
    next_seq = static_cast<uint32_t>(seq + 1);
    Block block;
    if (Decode(message, &block) != Status::kOk) return;
    Require(block.n >= 1 && block.n <= kCapacity);
    Require(block.first_step >= next_step);
    if ((block.flags & (kBlockAfterStart | kBlockAfterOverrun)) == 0) Require(block.first_step == next_step);
    next_step = block.first_step + block.n;
    if (block.codec == kCodecRaw) Require(block.payload.size == size_t{2} * block.n * kChannelCount);
    if (block.codec == kCodecRaw) return;
    int16_t unpacked[kCapacity * kChannelCount];
    Require(block.codec == kCodecPacked && block.payload.size < size_t{2} * block.n * kChannelCount);
    Require(UnpackBlock(block.payload, block.n, kChannelCount, unpacked) == Status::kOk);
  }
};

}  // namespace

// The input is a script. Its first byte says how the encoding is sliced; then each byte is an action with an argument
// of four bits, and what a host sends follows it, once as it is and once as the message of a good frame.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::CountBytes(size);
  if (size == 0) return 0;
  Fuzzed fuzzed(data[0] % 4);
  board::Device& device = *fuzzed.device;
  size_t at = 1;
  std::vector<uint8_t> frame;
  while (at < size) {
    const uint8_t action = data[at++];
    const uint8_t argument = action >> 4;
    switch (action & 7) {
      case 0:
        for (int k = 0; k <= argument; ++k) device.Step();
        break;
      case 1:
        for (int k = 0; k < 4 * (argument + 1); ++k) {
          device.Step();
          device.Pump();
        }
        break;
      case 2:
        fuzzed.board.room += argument * argument * 4u;
        device.Pump();
        break;
      case 3:
        fuzzed.Drain();
        break;
      case 4:
        if (argument == 0) {
          fuzzed.Drain();  // else the rest of a frame would be missing, rightly
          fuzzed.Listen();
          device.LinkRestarted();
        } else if (argument == 1) {
          fuzzed.Boot();
        }
        break;
      default: {
        size_t n = argument == 15 && at < size ? data[at++] : argument;
        n = n < size - at ? n : size - at;
        frame.assign(data + at, data + at + n);
        at += n;
        if ((action & 7) != 5) {
          std::vector<uint8_t> message = frame;
          message.resize(n + kCrcBytes);
          frame.resize(FrameBound(n));
          frame.resize(EncodeFrame(message.data(), n, frame.data()));
        }
        fuzzed.board.data = frame.data();
        fuzzed.board.size = frame.size();
        for (int k = 0; k < 40 && fuzzed.board.size > 0; ++k) {
          fuzzed.Drain();
          if (device.reboot_wanted()) fuzzed.Boot();
        }
        fuzzed.board.size = 0;
        break;
      }
    }
    if (device.reboot_wanted()) fuzzed.Boot();
    fuzzed.Listen();
  }
  return 0;
}
