// Frames that the host asks for again: through a whole device, over links that lose, stall and restart.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "bench.h"

using namespace testing;

namespace {

using Frame = std::vector<uint8_t>;

/// Memory of a history, made before the bench that uses it.
struct Memory {
  std::vector<uint8_t> bytes;
  std::vector<HistoryEntry> entries;
  History history;
  Memory(size_t n_bytes, uint16_t depth)
      : bytes(n_bytes), entries(depth), history(bytes.data(), n_bytes, entries.data(), depth) {}
};

/// A device that can send again, and the frames that came from it, as bytes.
struct Resending : Memory, Bench {
  explicit Resending(size_t n_bytes = 20000, uint16_t depth = 64, uint8_t slices = 0)
      : Memory(n_bytes, depth), Bench(&history, slices) {}

  /// Frames that came whole since the last call, without their zeros.
  std::vector<Frame> Frames() {
    std::vector<Frame> frames;
    for (; at < board.from_device.size(); ++at) {
      if (board.from_device[at] != 0) {
        part.push_back(board.from_device[at]);
        continue;
      }
      if (!part.empty()) frames.push_back(part);
      part.clear();
    }
    return frames;
  }
  /// Moves bytes as far as the link goes, and forgets what a host would read.
  void PumpOnly() {
    device.Pump();
    messages.clear();
  }
  size_t at = 0;
  Frame part;
};

struct Head {
  uint8_t type;
  uint32_t seq;
};

std::vector<uint8_t> MessageOf(const Frame& frame) {
  std::vector<uint8_t> message(frame.size());
  size_t n = 0;
  REQUIRE(CobsDecode(frame.data(), frame.size(), message.data(), &n) == Status::kOk);
  message.resize(n - kCrcBytes);
  return message;
}

Head HeadOf(const Frame& frame) {
  const std::vector<uint8_t> message = MessageOf(frame);
  Reader r(message.data(), message.size());
  Head head = {};
  uint32_t n = 0;
  uint64_t seq = 0;
  REQUIRE(ReadType(r, &head.type, &n) == Status::kOk);
  REQUIRE(r.Unsigned(UINT32_MAX, &seq) == Status::kOk);
  head.seq = static_cast<uint32_t>(seq);
  return head;
}

uint32_t ReplyValue(Bench& b, uint32_t request_id) {
  for (const Reply& reply : b.Take<Reply>()) {
    if (reply.request_id != request_id || reply.code != 0) continue;
    Reader r(reply.value.data, reply.value.size);
    uint64_t value = 0;
    REQUIRE(r.Unsigned(UINT32_MAX, &value) == Status::kOk);
    return static_cast<uint32_t>(value);
  }
  return UINT32_MAX;
}

}  // namespace

TEST_CASE("resend: hello says how many, and a device without memory refuses") {
  Resending b(20000, 64);
  b.Send(HelloRequest{1, 1});
  CHECK(b.Take<Hello>().at(0).resend_depth == 64);
  b.Send(HelloRequest{1, 1});
  CHECK(b.Take<Hello>().at(0).codecs == 3);
  b.Send(Resend{1, 0, 0});
  CHECK(b.Code(1) == int(ReplyCode::kOutOfRange));
  Resending no_bytes(0, 64), no_depth(20000, 0);
  for (Resending* none : {&no_bytes, &no_depth}) {
    none->Send(HelloRequest{1, 1});
    CHECK(none->Take<Hello>().at(0).resend_depth == 0);
    none->Send(Resend{1, 0, 3});
    CHECK(none->Code(1) == int(ReplyCode::kUnsupported));
  }
}

TEST_CASE("resend: frames of every type come again, byte for byte, in order, and their numbers stay") {
  Resending b;
  b.Send(SetRequest(1).Add(b.Index("i_clamp"), 20).Message());
  b.Send(Start{2, 10});
  b.Steps(205);
  b.Send(Ping{4});
  std::map<uint32_t, Frame> sent;
  std::set<uint8_t> types;
  for (const Frame& frame : b.Frames()) {
    const Head head = HeadOf(frame);
    CHECK(sent.emplace(head.seq, frame).second);
    types.insert(head.type);
  }
  CHECK(types == std::set<uint8_t>{1, 3, 4, 5, 6});
  const uint32_t n = static_cast<uint32_t>(sent.size());
  REQUIRE(n < 60);
  for (int round = 0; round < 3; ++round) {  // what was sent again can be had again
    b.messages.clear();
    const uint32_t id = 10 + static_cast<uint32_t>(round);
    b.Send(Resend{id, 0, static_cast<uint16_t>(n)});
    CHECK(ReplyValue(b, id) == n);
    const std::vector<Frame> again = b.Frames();
    REQUIRE(again.size() == n + 1);
    CHECK(HeadOf(again[0]).seq == n + static_cast<uint32_t>(round));  // the reply, before what it brings
    for (uint32_t k = 0; k < n; ++k) CHECK(again[k + 1] == sent[k]);
  }
  b.Steps(10000);
  CHECK(b.Take<StatusMessage>().at(0).resend_misses == 0);
}

TEST_CASE("resend: what is gone is counted in the status, and a boot forgets everything") {
  Resending b(400, 64);
  b.Send(Start{1, 10});
  b.Steps(200);
  b.messages.clear();
  b.Send(Resend{2, 0, 5});
  CHECK(ReplyValue(b, 2) == 0);
  b.Steps(10000);
  CHECK(b.Take<StatusMessage>().at(0).resend_misses == 5);
  b.device.Boot(78);
  b.Pump();
  b.messages.clear();
  b.Send(Resend{3, 0xFFFFFFF0u, 20});  // the new boot's hello is number 0
  CHECK(ReplyValue(b, 3) == 1);
  CHECK(b.history.misses() == 19);
  b.device.Boot(79);
  CHECK(b.history.misses() == 0);
}

TEST_CASE("resend: frames that are sent again and new ones take turns") {
  Resending b(60000, 400);
  b.Send(Start{1, 5});
  b.Steps(100);
  b.board.room = 0;
  // The queue for the link fills up, then the blocks behind it.
  while (b.device.HasRoomForStep()) b.device.Step(), b.device.Pump();
  b.Frames();
  const uint32_t oldest_new = b.history.frames();  // nothing was dropped: the next number
  b.Send(Resend{9, 3, 40});
  for (int k = 0; k < 40; ++k) {
    // A little at a time, and the model goes on, so that something new always waits.
    b.board.room = 120;
    b.PumpOnly();
    while (b.device.HasRoomForStep()) b.device.Step();
  }
  b.board.room = SIZE_MAX;
  b.PumpOnly();
  std::vector<bool> again;
  uint32_t expected = 3, newest = oldest_new;
  bool replied = false;
  for (const Frame& frame : b.Frames()) {
    const Head head = HeadOf(frame);
    if (head.seq < oldest_new && (!replied || head.seq != expected)) continue;  // waited before the request
    replied = replied || head.type == uint8_t(MessageType::kReply);
    const bool is_again = head.seq < oldest_new;
    if (is_again) {
      CHECK(head.seq == expected++);
      again.push_back(true);
    } else {
      CHECK(head.seq == newest++);
      if (head.type != uint8_t(MessageType::kReply)) again.push_back(false);
    }
  }
  CHECK(replied);
  REQUIRE(expected == 43);
  // While both wait, one after the other.
  size_t last = 0;
  for (size_t k = 0; k < again.size(); ++k) last = again[k] ? k : last;
  REQUIRE(last > 60);
  for (size_t k = 1; k <= last; ++k) {
    if (again[k - 1] == again[k]) CAPTURE(k);
    CHECK(again[k - 1] != again[k]);
  }
}

TEST_CASE("resend: a host that asks for ever takes half of the link, and no block is lost") {
  Resending b(20000, 64);
  b.Send(SetRequest(1).Add(b.Index("i_clamp"), 20).Message());
  b.Send(Start{2, 10});
  uint64_t samples = 0, n_again = 0;
  uint32_t newest = 0, id = 3;
  for (int k = 0; k < 20000; ++k) {
    b.board.room = 24;  // bytes per step: three times what new frames need
    if (k % 5 == 0) b.Send(Resend{id++, newest - 40, 40});
    b.Steps(1);
    for (const std::vector<uint8_t>& bytes : b.messages) {
      Block block;
      Reader r(bytes.data(), bytes.size());
      uint8_t type = 0;
      uint32_t n = 0;
      uint64_t seq = 0;
      REQUIRE(ReadType(r, &type, &n) == Status::kOk);
      REQUIRE(r.Unsigned(UINT32_MAX, &seq) == Status::kOk);
      if (static_cast<uint32_t>(seq) - newest > 0x7FFFFFFFu || seq == newest) {
        ++n_again;
        continue;
      }
      newest = static_cast<uint32_t>(seq);
      if (Decode(Bytes{bytes.data(), bytes.size()}, &block) == Status::kOk) samples += block.n;
    }
    b.messages.clear();
  }
  CHECK(b.device.sampler().overrun_samples() == 0);
  CHECK(samples > 19700);  // the rest is on its way
  CHECK(n_again > 1000);
}

TEST_CASE("resend: the link restarts in the middle of a frame that is sent again") {
  for (size_t cut = 1; cut < 60; ++cut) {
    CAPTURE(cut);
    Resending b;
    b.Send(Start{1, 10});
    b.Steps(100);
    std::map<uint32_t, Frame> sent;
    for (const Frame& frame : b.Frames()) sent.emplace(HeadOf(frame).seq, frame);
    b.board.room = 10 + cut;  // the reply has about ten bytes
    b.Send(Resend{2, 4, 4});
    b.board.room = SIZE_MAX;
    b.device.LinkRestarted();
    b.board.from_device.clear();  // a new host: it has seen nothing
    b.at = 0, b.part.clear(), b.seen_bytes = 0;
    b.decoder.Restart();
    b.messages.clear();
    b.Pump();
    CHECK(b.decoder.bad_total() == 0);
    for (const Frame& frame : b.Frames()) {
      const Head head = HeadOf(frame);
      if (sent.count(head.seq) > 0) CHECK(frame == sent[head.seq]);
    }
    b.Send(Resend{3, 4, 4});
    CHECK(b.Take<Reply>().size() >= 1);
    const std::vector<Frame> again = b.Frames();
    REQUIRE(again.size() == 5);
    for (uint32_t k = 0; k < 4; ++k) CHECK(again[k + 1] == sent[4 + k]);
  }
}

TEST_CASE("resend: over a link that loses in both directions every frame arrives in the end (seeded)") {
  size_t lost = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const uint8_t slices = static_cast<uint8_t>(seed % 3 * 2);  // two are just enough
    Resending b(30000, 128, slices);
    Resending whole(30000, 128, slices);  // the same device on a link without faults
    for (Resending* device : {&b, &whole}) {
      device->Send(SetRequest(1).Add(device->Index("i_clamp"), 20).Message());
      device->Send(Start{2, 10});
    }
    std::map<uint64_t, std::vector<int16_t>> blocks, expected;
    std::set<uint32_t> seen;
    for (const Frame& frame : b.Frames()) seen.insert(HeadOf(frame).seq);
    uint32_t id = 100;
    const auto listen = [&](bool faults) {
      for (const Frame& frame : b.Frames()) {
        if (faults && random() % 5 == 0) {
          ++lost;
          continue;
        }
        const std::vector<uint8_t> message = MessageOf(frame);
        seen.insert(HeadOf(frame).seq);
        Block block;
        if (Decode(Bytes{message.data(), message.size()}, &block) != Status::kOk) continue;
        const std::vector<int16_t> values = SamplesOf(block);
        const auto known = blocks.emplace(block.first_step, values);
        CHECK(known.first->second == values);
      }
      b.messages.clear();
    };
    const auto missing = [&] {
      for (uint32_t seq = 0; seq < *seen.rbegin(); ++seq) {
        if (seen.count(seq) == 0) return seq;
      }
      return UINT32_MAX;
    };
    for (int k = 0; k < 3000; ++k) {
      b.Steps(1);
      if (k % 37 == 0) b.board.room = random() % 3 == 0 ? 300 : SIZE_MAX;
      listen(true);
      const uint32_t first = missing();
      if (first == UINT32_MAX || k % 4 != 0) continue;
      const uint32_t newest = *seen.rbegin();
      const Resend request = {id++, first, static_cast<uint16_t>(1 + random() % std::min(3u, newest - first))};
      if (random() % 5 != 0) b.Send(request);
      listen(true);
    }
    b.board.room = SIZE_MAX;
    for (int k = 0; k < 50; ++k) b.Pump();
    listen(true);
    for (int k = 0; k < 500 && missing() != UINT32_MAX; ++k) {
      b.Send(Resend{id++, missing(), 1});
      listen(true);
    }
    CHECK(missing() == UINT32_MAX);
    for (int k = 0; k < 50; ++k) b.Pump();
    listen(false);
    CHECK(b.device.sampler().overrun_samples() == 0);
    whole.Steps(3000);
    for (int k = 0; k < 50; ++k) whole.Pump();
    for (const Block& block : whole.Take<Block>()) expected.emplace(block.first_step, SamplesOf(block));
    // The last of all, if lost, is not missed by anybody.
    REQUIRE(expected.size() == 300);
    while (expected.size() > blocks.size()) expected.erase(std::prev(expected.end()));
    CHECK(blocks == expected);
    CHECK(blocks.size() >= 298);
    CHECK(b.history.misses() == 0);
  }
  CHECK(lost > 1000);
}

TEST_CASE("slices: whatever their number per pump, the same frames come, and no answer spoils a block") {
  std::vector<std::vector<int16_t>> whole;
  for (uint8_t slices = 0; slices < 20; ++slices) {
    CAPTURE(slices);
    Resending b(20000, 64, slices);
    b.Send(SetRequest(1).Add(b.Index("i_clamp"), 20).Message());
    b.Send(Start{2, 10});
    for (uint32_t k = 0; k < 300; ++k) {
      b.Steps(1);
      for (int pump = 0; pump < 3; ++pump) b.Send(Ping{k});
      if (k % 7 == 0) b.Send(Resend{1000 + k, 0, 3});
    }
    for (int k = 0; k < 50; ++k) b.Pump();
    CHECK(b.decoder.bad_total() == 0);
    CHECK(b.Take<Pong>().size() >= 900);
    std::vector<std::vector<int16_t>> blocks;
    uint64_t next_step = 0;
    for (const Block& block : b.Take<Block>()) {
      if (block.first_step < next_step) continue;  // sent again
      CHECK(block.first_step == next_step);
      next_step += block.n;
      blocks.push_back(SamplesOf(block));
    }
    CHECK(next_step == 300);
    if (slices == 0) whole = blocks;
    CHECK(blocks == whole);
  }
}
