// The frame decoder against damage: whatever comes, it goes on, within its memory, and every bad frame is counted once.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "wire/frame.h"
#include "wire/message_codec.h"
#include "wire/transmitter.h"

using namespace spikedaq;
using namespace spikedaq::wire;
using Result = FrameDecoder::Result;

namespace {

constexpr size_t kMaxBytes = 300;

struct Decoding {
  std::vector<uint8_t> memory = std::vector<uint8_t>(CobsBound(kMaxBytes));
  FrameDecoder decoder{memory.data(), kMaxBytes};
  std::vector<std::vector<uint8_t>> messages;

  void Take(const std::vector<uint8_t>& bytes) {
    for (const uint8_t byte : bytes) {
      if (decoder.Take(byte) != Result::kMessage) continue;
      messages.emplace_back(decoder.message().data, decoder.message().data + decoder.message().size);
    }
  }
};

std::vector<uint8_t> FrameOf(std::vector<uint8_t> message) {
  const size_t n = message.size();
  message.resize(n + kCrcBytes);
  std::vector<uint8_t> frame(FrameBound(n));
  frame.resize(EncodeFrame(message.data(), n, frame.data()));
  return frame;
}

std::vector<uint8_t> RandomMessage(std::mt19937& random, size_t n) {
  std::vector<uint8_t> message(n);
  for (uint8_t& byte : message) byte = static_cast<uint8_t>(random() % 3 == 0 ? 0 : random());
  return message;
}

}  // namespace

TEST_CASE("frame: messages of every length to the bound come back") {
  std::mt19937 random(1);
  Decoding d;
  for (size_t n = 1; n <= kMaxBytes - kCrcBytes; ++n) {
    const std::vector<uint8_t> message = RandomMessage(random, n);
    d.Take(FrameOf(message));
    REQUIRE(d.messages.size() == n);
    REQUIRE(d.messages.back() == message);
  }
  CHECK(d.decoder.bad_total() == 0);
}

TEST_CASE("frame: one byte above the bound is one oversize frame, and the next is good") {
  std::mt19937 random(1);
  Decoding d;
  d.Take(FrameOf(std::vector<uint8_t>(kMaxBytes - kCrcBytes + 1, 5)));
  d.Take(FrameOf(std::vector<uint8_t>(kMaxBytes - kCrcBytes + 1, 0)));
  d.Take(FrameOf(std::vector<uint8_t>(10 * kMaxBytes, 5)));
  CHECK(d.decoder.bad(BadReason::kOversize) == 3);
  CHECK(d.decoder.bad_total() == 3);
  d.Take(FrameOf({1, 2, 3}));
  CHECK(d.messages.size() == 1);
}

TEST_CASE("frame: no random bytes break the decoder, and after a zero it is as new") {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Decoding d;
    std::vector<uint8_t> noise(random() % 3000);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random() % (seed % 5 + 1) == 0 ? random() % 3 : random());
    d.Take(noise);
    const size_t zeros = static_cast<size_t>(std::count(noise.begin(), noise.end(), 0));
    CHECK(d.decoder.frames() + d.decoder.bad_total() <= zeros + 1);
    d.Take({0});
    const size_t before = d.messages.size();
    d.Take(FrameOf({9, 8, 7}));
    REQUIRE(d.messages.size() == before + 1);
    CHECK(d.messages.back() == std::vector<uint8_t>{9, 8, 7});
  }
}

TEST_CASE("frame: a flipped bit never gives another message") {
  std::mt19937 random(3);
  const std::vector<uint8_t> message = RandomMessage(random, 40);
  const std::vector<uint8_t> frame = FrameOf(message);
  for (size_t bit = 0; bit < 8 * frame.size(); ++bit) {
    std::vector<uint8_t> damaged = frame;
    damaged[bit / 8] = static_cast<uint8_t>(damaged[bit / 8] ^ 1u << bit % 8);
    Decoding d;
    d.Take(damaged);
    d.Take({0});
    REQUIRE(d.messages.empty());
    REQUIRE(d.decoder.bad_total() >= 1);
  }
}

TEST_CASE("messages: no random message breaks the reader of any type") {
  std::mt19937 random(5);
  for (int k = 0; k < 20000; ++k) {
    std::vector<uint8_t> bytes = RandomMessage(random, 1 + random() % 60);
    if (random() % 2 == 0) bytes[0] = static_cast<uint8_t>(0x90 | bytes.size() % 16);
    const Bytes message{bytes.data(), bytes.size()};
    Hello hello;
    Block block;
    Set set;
    StimulusRequest stimulus;
    Reply reply;
    for (const int type : {1, 3, 36, 39, 6}) {
      if (bytes.size() > 1) bytes[1] = static_cast<uint8_t>(type);
      Decode(message, &hello), Decode(message, &block), Decode(message, &stimulus), Decode(message, &reply);
      if (Decode(message, &set) != Status::kOk) continue;
      PairReader pairs(set.pairs);
      uint8_t index;
      bool is_nil;
      float value;
      while (pairs.Next(&index, &is_nil, &value)) {
      }
    }
  }
}

TEST_CASE("hello: the longest that our boards can send fits 240 bytes") {
  uint8_t id[16];
  for (uint8_t& byte : id) byte = 0xFF;
  Hello m = {};
  m.seq = m.boot_id = m.step_us = m.stimulus_capacity = UINT32_MAX;
  m.major = m.minor = m.n_channels = m.n_parameters = m.n_presets = m.codecs = 255;
  m.block_samples = m.resend_depth = m.max_request_bytes = 65535;
  const char text[] = "0123456789abcdef0123456789abcdef";
  m.firmware_version = Text{text, 31};
  m.build_hash = Text{text, 16};
  m.board = Text{text, 31};
  m.unique_id = Bytes{id, 16};
  uint8_t bytes[kMaxHelloBytes - kCrcBytes];
  Writer w(bytes, sizeof bytes);
  Encode(m, w);
  CHECK(w.ok());
}

TEST_CASE("writer: what does not fit is refused and nothing is written beyond the memory") {
  for (size_t capacity = 0; capacity < 40; ++capacity) {
    std::vector<uint8_t> memory(capacity + 1, 0xEE);
    Writer w(memory.data(), capacity);
    Encode(Event{UINT32_MAX, 3, UINT64_MAX, UINT32_MAX, UINT32_MAX, 1.5f}, w);
    CHECK(w.ok() == (capacity >= 32));
    CHECK(memory[capacity] == 0xEE);
  }
}

TEST_CASE("reader: f64 becomes the nearest f32") {
  std::mt19937_64 random(7);
  const double odd[] = {0.0,
                        -0.0,
                        1e-45,
                        7e-46,
                        1.4e-45,
                        1e-40,
                        3.4028235e38,
                        3.4028236e38,
                        1e39,
                        -1e300,
                        5e-324,
                        1.0 + std::ldexp(1.0, -24),
                        1.0 + std::ldexp(3.0, -24),
                        16777217.0,
                        std::ldexp(16777215.0, -150),
                        std::ldexp(33554431.0, -151)};
  for (const double value : odd) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    CHECK(FloatFromDoubleBits(static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(bits)) ==
          static_cast<float>(value));
  }
  for (int k = 0; k < 200000; ++k) {
    uint64_t bits = random();
    if (k % 2 == 0) bits = (bits & ~(uint64_t{0x7FF} << 52)) | (870 + random() % 290) << 52;
    double value;
    memcpy(&value, &bits, sizeof bits);
    const float got = FloatFromDoubleBits(static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(bits));
    const float want = static_cast<float>(value);
    if (!(got == want || (got != got && want != want))) FAIL("differs for bits " << bits);
  }
}

TEST_CASE("transmitter: frames come out whole, in order and numbered, whatever the link takes at a time") {
  std::mt19937 random(11);
  std::vector<uint8_t> scratch(200), ring(3 * FrameBound(60));
  Transmitter t(scratch.data(), scratch.size(), ring.data(), ring.size());
  Decoding d;
  uint32_t sent = 0, refused = 0;
  while (sent < 3000) {
    if (random() % 3 != 0) {
      const bool room = t.HasRoom(60);
      const Status status = t.Send(Pong{0, sent, random(), random()});
      if (room) CHECK(status == Status::kOk);
      ++(status == Status::kOk ? sent : refused);
    } else if (t.size() > 0) {
      const size_t n = 1 + random() % t.size();
      d.Take(std::vector<uint8_t>(t.bytes(), t.bytes() + n));
      t.Taken(n);
    }
  }
  d.Take(std::vector<uint8_t>(t.bytes(), t.bytes() + t.size()));
  t.Taken(t.size());
  CHECK(refused > 0);
  CHECK(t.frames_waiting() == 0);
  CHECK(d.decoder.bad_total() == 0);
  REQUIRE(d.messages.size() == sent);
  for (uint32_t k = 0; k < sent; ++k) {
    Pong pong;
    REQUIRE(Decode(Bytes{d.messages[k].data(), d.messages[k].size()}, &pong) == Status::kOk);
    REQUIRE(pong.seq == k);
    REQUIRE(pong.token == k);
  }
}

TEST_CASE("transmitter: on a link opened anew the rest of a frame that was begun is dropped") {
  std::vector<uint8_t> scratch(200), ring(400);
  Transmitter t(scratch.data(), scratch.size(), ring.data(), ring.size());
  t.Send(Pong{0, 1, 2, 3});
  t.Send(Pong{0, 4, 5, 6});
  t.Taken(3);
  t.DropPartialFrame();
  Decoding d;
  d.Take(std::vector<uint8_t>(t.bytes(), t.bytes() + t.size()));
  REQUIRE(d.messages.size() == 1);
  CHECK(d.decoder.bad_total() == 0);
  t.Taken(t.size());
  t.Send(Pong{0, 7, 8, 9});
  t.DropPartialFrame();
  CHECK(t.frames_waiting() == 1);  // a whole frame is not dropped
}
