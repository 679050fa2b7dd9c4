// COBS against the definition: exhaustively where that is small, at random lengths where it is not.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "hex.h"
#include "wire/cobs.h"

using spikedaq::Status;
using spikedaq::wire::CobsBound;
using spikedaq::wire::CobsDecode;
using spikedaq::wire::CobsEncode;

namespace {

using ByteVector = std::vector<uint8_t>;

ByteVector Encode(const ByteVector& plain) {
  ByteVector out(CobsBound(plain.size()) + 1, 0xEE);
  const size_t n = CobsEncode(plain.data(), plain.size(), out.data());
  CHECK(n <= CobsBound(plain.size()));
  CHECK(out.back() == 0xEE);  // nothing written beyond the bound
  out.resize(n);
  return out;
}

// Straight from the definition: cut at zeros, pieces of 254, one length byte each.
ByteVector EncodeByDefinition(const ByteVector& plain) {
  ByteVector out;
  size_t i = 0;
  for (;;) {
    const size_t zero =
        static_cast<size_t>(std::find(plain.begin() + static_cast<long>(i), plain.end(), 0) - plain.begin());
    size_t left = zero - i;
    while (left > 254 || (left == 254 && zero != plain.size())) {
      out.push_back(255);
      out.insert(out.end(), plain.begin() + static_cast<long>(i), plain.begin() + static_cast<long>(i + 254));
      i += 254;
      left -= 254;
    }
    out.push_back(static_cast<uint8_t>(left + 1));
    out.insert(out.end(), plain.begin() + static_cast<long>(i), plain.begin() + static_cast<long>(i + left));
    if (zero == plain.size()) return out;
    i = zero + 1;
  }
}

// One failing length says enough; a million CHECKs only cost time.
bool RoundTrips(const ByteVector& plain) {
  const ByteVector encoded = Encode(plain);
  if (encoded != EncodeByDefinition(plain)) return false;
  if (std::find(encoded.begin(), encoded.end(), 0) != encoded.end()) return false;
  ByteVector decoded = encoded;
  size_t size = 0;
  if (CobsDecode(decoded.data(), decoded.size(), decoded.data(), &size) != Status::kOk) return false;  // in place
  decoded.resize(size);
  return decoded == plain;
}

}  // namespace

TEST_CASE("cobs: every text of up to 6 of the bytes 0, 1, 255 round-trips") {
  const uint8_t letters[] = {0, 1, 255};
  for (size_t n = 0; n <= 6; ++n) {
    size_t texts = 1;
    for (size_t k = 0; k < n; ++k) texts *= 3;
    for (size_t text = 0; text < texts; ++text) {
      ByteVector plain;
      for (size_t k = 0, rest = text; k < n; ++k, rest /= 3) plain.push_back(letters[rest % 3]);
      REQUIRE(RoundTrips(plain));
    }
  }
}

TEST_CASE("cobs: every length to 1200 round-trips, without zeros, with one zero, with many") {
  std::mt19937 random(1);
  for (size_t n = 0; n <= 1200; ++n) {
    CAPTURE(n);
    ByteVector plain(n, 0x7F);
    REQUIRE(RoundTrips(plain));
    if (n == 0) continue;
    plain[random() % n] = 0;
    REQUIRE(RoundTrips(plain));
    for (uint8_t& byte : plain) byte = static_cast<uint8_t>(random() % 4 == 0 ? 0 : random());
    REQUIRE(RoundTrips(plain));
  }
}

TEST_CASE("cobs: a zero just before, at and after the end of a full group") {
  for (const size_t full : {254u, 508u, 762u}) {
    for (size_t at = full - 3; at <= full + 3; ++at) {
      for (size_t n = at + 1; n <= full + 5; ++n) {
        ByteVector plain(n, 1);
        plain[at] = 0;
        CAPTURE(n);
        CAPTURE(at);
        REQUIRE(RoundTrips(plain));
      }
    }
  }
}

TEST_CASE("cobs: every sequence of up to 3 bytes decodes to what encodes to it again, or is refused") {
  for (uint32_t n = 1; n <= 3; ++n) {
    for (uint32_t code = 0; code < 1u << (8 * n); code += n == 3 ? 7 : 1) {
      ByteVector in;
      for (uint32_t k = 0; k < n; ++k) in.push_back(static_cast<uint8_t>(code >> (8 * k)));
      uint8_t out[3];
      size_t size = 0;
      if (CobsDecode(in.data(), in.size(), out, &size) != Status::kOk) continue;
      if (EncodeByDefinition(ByteVector(out, out + size)) != in) FAIL("differs: " << testing::ToHex(in));
    }
  }
}
