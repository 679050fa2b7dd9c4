// The history: whole frames or none, whatever wraps, overwrites or repeats.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "wire/history.h"

using namespace spikedaq;
using wire::History;
using wire::HistoryEntry;
using wire::HistoryFrame;

namespace {

using Frame = std::vector<uint8_t>;

struct Kept {
  std::vector<uint8_t> bytes;
  std::vector<HistoryEntry> entries;
  History history;
  Kept(size_t n_bytes, uint16_t depth)
      : bytes(n_bytes), entries(depth), history(bytes.data(), n_bytes, entries.data(), depth) {}

  void Keep(uint32_t seq, const Frame& frame) { history.Keep(seq, frame.data(), frame.size()); }
  /// Everything that waits, in order.
  std::vector<Frame> TakeAll() {
    std::vector<Frame> all;
    HistoryFrame frame;
    while (history.Next(&frame)) {
      Frame whole(frame.first, frame.first + frame.first_size);
      whole.insert(whole.end(), frame.second, frame.second + frame.second_size);
      CHECK(whole.size() == frame.size());
      all.push_back(whole);
      history.Sent();
    }
    return all;
  }
};

Frame Numbered(uint32_t seq, size_t n) {
  Frame frame(n);
  for (size_t k = 0; k < n; ++k) frame[k] = static_cast<uint8_t>(seq * 31 + k);
  return frame;
}

}  // namespace

TEST_CASE("history: without memory nothing is kept") {
  Kept no_bytes(0, 8), no_entries(100, 0);
  no_bytes.Keep(0, {1, 2});
  no_entries.Keep(0, {1, 2});
  CHECK(no_bytes.history.depth() == 0);
  CHECK(no_entries.history.depth() == 0);
  CHECK(no_bytes.history.Request(0, 1) == 0);
  CHECK(no_entries.history.Request(0, 1) == 0);
}

TEST_CASE("history: what is asked for comes once, in order, and again when asked again") {
  Kept k(100, 8);
  for (uint32_t seq = 0; seq < 5; ++seq) k.Keep(seq, Numbered(seq, 10));
  CHECK(k.history.Request(3, 2) == 2);
  CHECK(k.history.Request(0, 1) == 1);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(3, 10), Numbered(4, 10), Numbered(0, 10)});
  CHECK(k.TakeAll().empty());
  CHECK(k.history.Request(3, 1) == 1);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(3, 10)});
  CHECK(k.history.misses() == 0);
}

TEST_CASE("history: what is not held counts as missed, and the rest of the range still comes") {
  Kept k(1000, 4);
  for (uint32_t seq = 0; seq < 10; ++seq) k.Keep(seq, Numbered(seq, 7));
  CHECK(k.history.frames() == 4);
  CHECK(k.history.Request(3, 5) == 2);  // 6 and 7
  CHECK(k.history.misses() == 3);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(6, 7), Numbered(7, 7)});
  CHECK(k.history.Request(8, 100) == 2);  // 10 and later have not been sent
  CHECK(k.history.misses() == 3 + 98);
  CHECK(k.TakeAll().size() == 2);
  CHECK(k.history.Request(0, 65535) == 4);
  CHECK(k.TakeAll().size() == 4);
}

TEST_CASE("history: a frame that is overwritten before its turn is missed, not sent half") {
  Kept k(64, 100);
  for (uint32_t seq = 0; seq < 6; ++seq) k.Keep(seq, Numbered(seq, 10));
  CHECK(k.history.Request(0, 6) == 6);
  HistoryFrame frame;
  REQUIRE(k.history.Next(&frame));
  CHECK(std::memcmp(frame.first, Numbered(0, 10).data(), 10) == 0);
  k.Keep(6, Numbered(6, 25));  // needs the place of 0, 1 and 2, over the end of the ring
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(3, 10), Numbered(4, 10), Numbered(5, 10)});
  CHECK(k.history.misses() == 3);
  CHECK(k.history.Request(6, 1) == 1);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(6, 25)});
  CHECK(k.history.Request(0, 1) == 0);
  k.Keep(7, Numbered(7, 64));  // the whole memory
  CHECK(k.history.frames() == 1);
  CHECK(k.history.Request(7, 1) == 1);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(7, 64)});
}

TEST_CASE("history: a frame larger than the whole memory is missed, and so are those before it") {
  Kept k(50, 8);
  k.Keep(0, Numbered(0, 20));
  CHECK(k.history.Request(0, 1) == 1);
  k.Keep(1, Numbered(1, 51));
  CHECK(k.TakeAll().empty());
  CHECK(k.history.misses() == 1);
  k.Keep(2, Numbered(2, 20));
  k.Keep(3, Numbered(3, 20));
  CHECK(k.history.Request(0, 4) == 2);
  CHECK(k.TakeAll() == std::vector<Frame>{Numbered(2, 20), Numbered(3, 20)});
  CHECK(k.history.misses() == 3);
}

TEST_CASE("history: numbers wrap at 2^32") {
  Kept k(1000, 6);
  uint32_t seq = 0xFFFFFFFCu;
  for (int n = 0; n < 8; ++n, ++seq) k.Keep(seq, Numbered(seq, 9));  // holds fffffffe to 3
  CHECK(k.history.Request(0xFFFFFFFEu, 4) == 4);
  CHECK(k.TakeAll() ==
        std::vector<Frame>{Numbered(0xFFFFFFFEu, 9), Numbered(0xFFFFFFFFu, 9), Numbered(0, 9), Numbered(1, 9)});
  CHECK(k.history.misses() == 0);
  CHECK(k.history.Request(0xFFFFFFFCu, 10) == 6);  // two too old, two too new
  CHECK(k.history.misses() == 4);
  CHECK(k.TakeAll().front() == Numbered(0xFFFFFFFEu, 9));
}

TEST_CASE("history: requests are bounded, the oldest goes, and what waits already is not doubled") {
  Kept k(10000, 64);
  for (uint32_t seq = 0; seq < 64; ++seq) k.Keep(seq, Numbered(seq, 5));
  for (uint32_t r = 0; r < History::kMaxRequests; ++r) CHECK(k.history.Request(5 * r, 3) == 3);
  CHECK(k.history.Request(5, 3) == 3);   // waits already
  CHECK(k.history.Request(6, 1) == 1);   // waits already
  CHECK(k.history.Request(7, 2) == 2);   // one waits, one follows it
  CHECK(k.history.Request(60, 1) == 1);  // the ninth: that for 0, 1 and 2 is forgotten
  std::vector<Frame> expected = {Numbered(5, 5), Numbered(6, 5), Numbered(7, 5), Numbered(8, 5)};
  for (uint32_t r = 2; r < History::kMaxRequests; ++r) {
    for (uint32_t seq = 5 * r; seq < 5 * r + 3; ++seq) expected.push_back(Numbered(seq, 5));
  }
  expected.push_back(Numbered(60, 5));
  CHECK(k.TakeAll() == expected);
  CHECK(k.history.misses() == 0);  // nothing was missing, only forgotten
  CHECK(k.history.Request(60, 1) == 1);
  k.history.ForgetRequests();
  CHECK(k.TakeAll().empty());
  k.history.Clear();
  CHECK(k.history.frames() == 0);
  CHECK(k.history.Request(60, 1) == 0);
}

TEST_CASE("history: against a list of frames, with every size, request and overwriting (seeded)") {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const size_t n_bytes = 1 + random() % 400;
    const uint16_t depth = static_cast<uint16_t>(1 + random() % 20);
    Kept k(n_bytes, depth);
    std::deque<Frame> model;  // newest last; an empty one is not held
    uint32_t seq = random() % 2 == 0 ? 0xFFFFFF00u : 0;
    std::deque<std::pair<uint32_t, uint32_t>> ranges;  // first number and end, trimmed to what was held
    uint32_t misses = 0;
    const auto held = [&](uint32_t s) { return seq - s <= model.size() && seq != s; };
    for (int step = 0; step < 2000; ++step) {
      const uint32_t action = static_cast<uint32_t>(random() % 4);
      if (action < 2) {
        const Frame frame = Numbered(seq, 1 + random() % (random() % 8 == 0 ? 450 : 60));
        k.Keep(seq++, frame);
        model.push_back(frame);
        size_t used = 0;
        for (const Frame& f : model) used += f.size();
        for (; model.size() > depth || used > n_bytes; model.pop_front()) used -= model.front().size();
      } else if (action == 2) {
        const uint32_t first = seq - 25 + static_cast<uint32_t>(random() % 30);
        const uint16_t count = static_cast<uint16_t>(random() % 50 == 0 ? 65535 : 1 + random() % 12);
        uint32_t n = 0, from = 0;
        for (uint32_t s = first; s != first + count; ++s) {
          if (held(s) && n++ == 0) from = s;
        }
        misses += count - n;
        CHECK(k.history.Request(first, count) == n);
        bool waits = n == 0;
        for (auto& range : ranges) {
          if (waits || from - range.first > range.second - range.first) continue;
          waits = true;
          if (from + n - range.first > range.second - range.first) range.second = from + n;
        }
        if (!waits) ranges.emplace_back(from, from + n);
        if (ranges.size() > History::kMaxRequests) ranges.pop_front();
      } else {
        HistoryFrame frame;
        const bool any = k.history.Next(&frame);
        while (!ranges.empty()) {
          auto& range = ranges.front();
          for (; range.first != range.second && !held(range.first); ++range.first) ++misses;
          if (range.first != range.second) break;
          ranges.pop_front();
        }
        REQUIRE(any == !ranges.empty());
        if (any) {
          Frame whole(frame.first, frame.first + frame.first_size);
          whole.insert(whole.end(), frame.second, frame.second + frame.second_size);
          CHECK(whole == model[model.size() - (seq - ranges.front().first)]);
          if (random() % 3 != 0) {
            k.history.Sent();
            if (++ranges.front().first == ranges.front().second) ranges.pop_front();
          }
        }
      }
      REQUIRE(k.history.misses() == misses);
      REQUIRE(k.history.frames() == model.size());
    }
  }
}
