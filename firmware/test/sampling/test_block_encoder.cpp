// The block encoder: the shorter codec, whole or in slices, and every sample back.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "sampling/block_encoder.h"
#include "wire/message_codec.h"
#include "wire/packed.h"

using namespace spikedaq;
using sampling::BlockEncoder;

namespace {

constexpr uint8_t kBoth = 3;

/// A sampler with one closed block, channel by channel.
struct Filled {
  size_t n, n_channels;
  std::vector<sampling::BlockHead> heads = std::vector<sampling::BlockHead>(2);
  std::vector<int16_t> memory;
  sampling::Sampler sampler;

  explicit Filled(const std::vector<std::vector<int16_t>>& channels)
      : n(channels[0].size()),
        n_channels(channels.size()),
        memory(2 * n * n_channels),
        sampler(heads.data(), memory.data(), 2, static_cast<uint16_t>(n), static_cast<uint8_t>(n_channels)) {
    sampler.Start(static_cast<uint16_t>(n));
    std::vector<int16_t> row(n_channels);
    for (size_t k = 0; k < n; ++k) {
      for (size_t c = 0; c < n_channels; ++c) row[c] = channels[c][k];
      sampler.Push(1000 + k, 100000 + 100 * k, 100, row.data(), false);
    }
  }
};

std::vector<uint8_t> Encoded(const sampling::Sampler& sampler, uint8_t codecs) {
  std::vector<uint8_t> memory(20000);
  wire::Writer writer(memory.data(), memory.size());
  sampling::EncodeOldest(sampler, 70000, writer, codecs);
  REQUIRE(writer.ok());
  return std::vector<uint8_t>(writer.data(), writer.data() + writer.size());
}

wire::Block Decoded(const std::vector<uint8_t>& message) {
  wire::Block block = {};
  REQUIRE(wire::Decode(wire::Bytes{message.data(), message.size()}, &block) == Status::kOk);
  return block;
}

}  // namespace

TEST_CASE("block encoder: every signal comes back, never longer than raw, packed only where shorter (seeded)") {
  size_t packed = 0, raw = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const size_t n = seed % 5 == 0 ? 1 + random() % 4 : 1 + random() % 252;
    const size_t n_channels = 1 + random() % 8;
    std::vector<std::vector<int16_t>> channels(n_channels);
    for (std::vector<int16_t>& channel : channels) {
      // Steps up to 2^bits, from a constant to anything; values wrap.
      const uint32_t bits = static_cast<uint32_t>(random() % 17);
      uint16_t value = static_cast<uint16_t>(random());
      for (size_t k = 0; k < n; ++k) {
        channel.push_back(static_cast<int16_t>(value));
        const uint32_t step = static_cast<uint32_t>(random()) & ((1u << bits) - 1);
        value = static_cast<uint16_t>(value + (step >> 1) * ((step & 1) != 0 ? 1u : 0xFFFFu));
      }
    }
    const Filled filled(channels);
    const std::vector<uint8_t> message = Encoded(filled.sampler, kBoth);
    const wire::Block block = Decoded(message);
    CHECK(block.seq == 70000);
    CHECK(block.first_step == 1000);
    CHECK(block.first_tick == 100000);
    CHECK(block.step_us == 100);
    CHECK(block.n == n);
    CHECK(block.flags == wire::kBlockAfterStart);
    CHECK(message.size() <= block.payload.size + sampling::kBlockOverhead);

    const std::vector<uint8_t> packed_message = Encoded(filled.sampler, 2), raw_message = Encoded(filled.sampler, 1);
    const wire::Block packed_block = Decoded(packed_message), raw_block = Decoded(raw_message);
    CHECK(packed_block.codec == wire::kCodecPacked);
    CHECK(raw_block.codec == wire::kCodecRaw);
    CHECK(raw_block.payload.size == 2 * n * n_channels);
    const bool packs = packed_block.payload.size < raw_block.payload.size;
    CHECK(block.codec == (packs ? wire::kCodecPacked : wire::kCodecRaw));
    CHECK(message == (packs ? packed_message : raw_message));
    (packs ? packed : raw) += 1;

    std::vector<int16_t> values(n * n_channels);
    REQUIRE(wire::UnpackBlock(packed_block.payload, packed_block.n, static_cast<uint8_t>(n_channels), values.data()) ==
            Status::kOk);
    for (size_t c = 0; c < n_channels; ++c) {
      CHECK(std::vector<int16_t>(values.begin() + static_cast<ptrdiff_t>(c * n),
                                 values.begin() + static_cast<ptrdiff_t>((c + 1) * n)) == channels[c]);
    }
    // A byte less or more is malformed.
    const wire::Bytes payload = packed_block.payload;
    CHECK(wire::UnpackBlock({payload.data, payload.size - 1}, block.n, static_cast<uint8_t>(n_channels),
                            values.data()) == Status::kMalformed);
    CHECK(wire::UnpackBlock({payload.data, payload.size + 1}, block.n, static_cast<uint8_t>(n_channels),
                            values.data()) == Status::kMalformed);
  }
  CHECK(packed > 100);  // both have been tried
  CHECK(raw > 100);
}

TEST_CASE("block encoder: the largest block of random numbers fits a frame") {
  std::mt19937 random(1);
  std::vector<std::vector<int16_t>> channels(8);
  for (auto& channel : channels) {
    for (size_t k = 0; k < sampling::MaxBlockSamples(8); ++k) channel.push_back(static_cast<int16_t>(random()));
  }
  const Filled filled(channels);
  CHECK(Encoded(filled.sampler, kBoth).size() + wire::kCrcBytes <= wire::kMaxDeviceFrameBytes);
}

TEST_CASE("block encoder: raw where both are equally long") {
  // One sample and one channel: 3 bytes packed, 2 raw. Two channels of three samples: 12 raw; 6 and 6 packed.
  const Filled filled({{0, 0x2000, 0}, {0, 300, 600}});
  const std::vector<uint8_t> packed = Encoded(filled.sampler, 2), both = Encoded(filled.sampler, kBoth);
  REQUIRE(Decoded(packed).payload.size == 7 + 6);
  CHECK(Decoded(both).codec == wire::kCodecRaw);
  const Filled equal({{0, 100, 200}, {0, 300, 600}});  // 3 + 2 and 3 + 3 is shorter
  CHECK(Decoded(Encoded(equal.sampler, kBoth)).codec == wire::kCodecPacked);
  const Filled even({{0, 1000, 0}, {0, 1000, 0}});  // 3 + 3 each: 12, like raw
  REQUIRE(Decoded(Encoded(even.sampler, 2)).payload.size == 12);
  CHECK(Decoded(Encoded(even.sampler, kBoth)).codec == wire::kCodecRaw);
}

TEST_CASE("block encoder: more channels than can be measured are sent raw") {
  const Filled filled(std::vector<std::vector<int16_t>>(9, std::vector<int16_t>(50, 7)));
  CHECK(Decoded(Encoded(filled.sampler, kBoth)).codec == wire::kCodecRaw);
}

TEST_CASE("block encoder: in slices it looks at one channel at a time, and can be called off") {
  const Filled filled({{1, 2, 3, 4, 5, 6}, {9, 9, 9, 9, 9, 9}, {-1, -2, -3, -4, -5, -6}});
  BlockEncoder encoder(&filled.sampler, kBoth);
  std::vector<uint8_t> memory(500);
  for (int round = 0; round < 2; ++round) {
    CHECK(encoder.stage() == BlockEncoder::Stage::kIdle);
    encoder.Begin();
    int slices = 0;
    for (; encoder.stage() == BlockEncoder::Stage::kMeasuring; ++slices) encoder.Measure();
    CHECK(slices == 3);
    REQUIRE(encoder.stage() == BlockEncoder::Stage::kMeasured);
    encoder.BeginWriting(wire::Writer(memory.data(), memory.size()), 70000);
    if (round == 0) encoder.Write();
    if (round == 0) encoder.Cancel();
  }
  int slices = 0;
  for (; encoder.stage() == BlockEncoder::Stage::kWriting; ++slices) encoder.Write();
  CHECK(slices == 3);
  const std::vector<uint8_t> message(encoder.writer().data(), encoder.writer().data() + encoder.writer().size());
  CHECK(message == Encoded(filled.sampler, kBoth));
}
