// Source: the msgpack specification, github.com/msgpack/msgpack/blob/master/spec.md.
#include "wire/msgpack.h"

#include <string.h>

#include "flash/flash.h"

namespace spikedaq {
namespace wire {
namespace {

constexpr uint8_t kNil = 0xC0, kFalse = 0xC2, kTrue = 0xC3;
constexpr uint8_t kBin8 = 0xC4, kBin16 = 0xC5, kBin32 = 0xC6;
constexpr uint8_t kFloat32 = 0xCA, kFloat64 = 0xCB;
constexpr uint8_t kUint8 = 0xCC, kUint16 = 0xCD, kUint32 = 0xCE, kUint64 = 0xCF;
constexpr uint8_t kInt8 = 0xD0, kInt16 = 0xD1, kInt32 = 0xD2, kInt64 = 0xD3;
constexpr uint8_t kStr8 = 0xD9, kStr16 = 0xDA, kStr32 = 0xDB;
constexpr uint8_t kArray16 = 0xDC, kArray32 = 0xDD;

// What follows each code from 0xC0 to 0xDF: in bits 0-4 so many bytes; before them, as bits 5-6 say, none or a length
// of 1, 2 or 4 bytes and what it counts, which is items where bit 7 is set and else bytes.
constexpr uint8_t kNever = 0xFF;  // used by nothing
constexpr uint8_t kCounted = 0x80;
constexpr uint8_t kHeads[32] SPIKEDAQ_FLASH = {
    0, kNever, 0, 0, 0x20, 0x40, 0x60, 0x21, 0x41, 0x61, 4,    8,    1,    2,    4,    8,     // nil to u64
    1, 2,      4, 8, 2,    3,    5,    9,    17,   0x20, 0x40, 0x60, 0xC0, 0xE0, 0xC0, 0xE0,  // i8 to map 32
};

float FloatOfBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Whether bytes are UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629, section 4).
bool IsUtf8(const uint8_t* bytes, size_t n) {
  size_t i = 0;
  while (i < n) {
    const uint8_t first = bytes[i++];
    if (first < 0x80) continue;
    if (first < 0xC2 || first > 0xF4) return false;
    const size_t more = first < 0xE0 ? 1 : (first < 0xF0 ? 2 : 3);
    if (more > n - i) return false;
    const uint8_t low = first == 0xE0 ? 0xA0 : (first == 0xF0 ? 0x90 : 0x80);
    const uint8_t high = first == 0xED ? 0x9F : (first == 0xF4 ? 0x8F : 0xBF);
    if (bytes[i] < low || bytes[i] > high) return false;
    for (size_t k = 1; k < more; ++k) {
      if ((bytes[i + k] & 0xC0) != 0x80) return false;
    }
    i += more;
  }
  return true;
}

}  // namespace

Text TextOf(const char* text) { return Text{text, strlen(text)}; }

void Writer::Head(uint8_t code) {
  uint8_t* to = Claim(1);
  if (to != nullptr) *to = code;
}

void Writer::Head(uint8_t code, uint32_t value, uint8_t value_bytes) {
  uint8_t* to = Claim(static_cast<size_t>(1 + value_bytes));
  if (to == nullptr) return;
  *to = code;
  for (uint8_t k = value_bytes; k > 0; --k) {
    to[k] = static_cast<uint8_t>(value);
    value >>= 8;
  }
}

void Writer::Wide(uint8_t code, uint32_t high, uint32_t low) {
  Head(code, high, 4);
  uint8_t* to = Claim(4);
  for (uint8_t k = 4; to != nullptr && k > 0; low >>= 8) to[--k] = static_cast<uint8_t>(low);
}

uint8_t* Writer::Claim(size_t n) {
  if (!ok_ || n > capacity_ - size_) {
    ok_ = false;
    return nullptr;
  }
  uint8_t* at = memory_ + size_;
  size_ += n;
  return at;
}

void Writer::Array(uint32_t n) {
  if (n < 16) return Head(static_cast<uint8_t>(0x90 | n));
  if (n <= 0xFFFF) return Head(kArray16, n, 2);
  Head(kArray32, n, 4);
}

void Writer::Unsigned8(uint8_t value) {
  if (value >= 0x80) Head(kUint8);
  Head(value);
}

void Writer::Unsigned32(uint32_t value) {
  if (value <= 0xFF) return Unsigned8(static_cast<uint8_t>(value));
  if (value <= 0xFFFF) return Head(kUint16, value, 2);
  Head(kUint32, value, 4);
}

void Writer::Signed32(int32_t value) {
  const uint32_t bits = static_cast<uint32_t>(value);
  if (value >= 0) return Unsigned32(bits);
  if (value >= -32) return Head(static_cast<uint8_t>(bits));
  if (value >= INT8_MIN) return Head(kInt8, bits, 1);
  if (value >= INT16_MIN) return Head(kInt16, bits, 2);
  Head(kInt32, bits, 4);
}

void Writer::Unsigned(uint64_t value) {
  const uint32_t high = static_cast<uint32_t>(value >> 32);
  if (high == 0) return Unsigned32(static_cast<uint32_t>(value));
  Wide(kUint64, high, static_cast<uint32_t>(value));
}

void Writer::Signed(int64_t value) {
  if (value >= 0) return Unsigned(static_cast<uint64_t>(value));
  if (value >= INT32_MIN) return Signed32(static_cast<int32_t>(value));
  const uint64_t bits = static_cast<uint64_t>(value);
  Wide(kInt64, static_cast<uint32_t>(bits >> 32), static_cast<uint32_t>(bits));
}

void Writer::Float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  Head(kFloat32, bits, 4);
}

void Writer::Bool(bool value) { Head(value ? kTrue : kFalse); }

void Writer::Nil() { Head(kNil); }

void Writer::StringHead(size_t n) {
  const uint32_t size = static_cast<uint32_t>(n);
  if (n < 32) return Head(static_cast<uint8_t>(0xA0 | n));
  if (n <= 0xFF) return Head(kStr8, size, 1);
  if (n <= 0xFFFF) return Head(kStr16, size, 2);
  ok_ = false;  // no text of the protocol is that long
}

void Writer::String(Text text) {
  StringHead(text.size);
  Item(Raw{reinterpret_cast<const uint8_t*>(text.data), text.size});
}

void Writer::BinaryHead(size_t n) {
  if (n <= 0xFF) return Head(kBin8, static_cast<uint32_t>(n), 1);
  if (n <= 0xFFFF) return Head(kBin16, static_cast<uint32_t>(n), 2);
  ok_ = false;  // a frame holds 4096 bytes
}

void Writer::Binary(Bytes bytes) {
  BinaryHead(bytes.size);
  Item(Raw{bytes.data, bytes.size});
}

void Writer::Item(Raw raw) {
  uint8_t* to = Claim(raw.size);
  if (to != nullptr && raw.size > 0) memcpy(to, raw.data, raw.size);
}

Status Reader::Take(uint32_t n, const uint8_t** bytes) {
  if (n > left()) return Status::kMalformed;
  *bytes = data_ + at_;
  at_ += static_cast<size_t>(n);
  return Status::kOk;
}

Status Reader::BigEndian(uint8_t bytes, uint32_t* value) {
  if (bytes > left()) return Status::kMalformed;
  uint32_t v = 0;
  for (; bytes > 0; --bytes) v = v << 8 | Byte();
  *value = v;
  return Status::kOk;
}

Status Reader::Array(uint32_t* n) {
  if (left() == 0) return Status::kMalformed;
  const uint8_t code = Byte();
  if (code >= 0x90 && code <= 0x9F) {
    *n = code & 0x0F;
  } else if (code != kArray16 && code != kArray32) {
    return Status::kMalformed;
  } else if (BigEndian(code == kArray16 ? 2 : 4, n) != Status::kOk) {
    return Status::kMalformed;
  }
  return *n > left() ? Status::kMalformed : Status::kOk;  // an item takes at least one byte
}

Status Reader::Halves(bool* negative, uint32_t* high, uint32_t* low) {
  if (left() == 0) return Status::kMalformed;
  const uint8_t code = Byte();
  *negative = code >= 0xE0;
  *high = *negative ? UINT32_MAX : 0;
  *low = *negative ? *high << 8 | code : code;
  if (code < 0x80 || *negative) return Status::kOk;
  if (code < kUint8 || code > kInt64) return Status::kMalformed;
  const uint8_t bytes = static_cast<uint8_t>(1u << ((code - kUint8) & 3));
  if (bytes == 8 && BigEndian(4, high) != Status::kOk) return Status::kMalformed;
  if (BigEndian(bytes == 8 ? 4 : bytes, low) != Status::kOk) return Status::kMalformed;
  if (code < kInt8) return Status::kOk;
  if (bytes == 8) {
    *negative = (*high >> 31) != 0;
    return Status::kOk;
  }
  const uint32_t sign = uint32_t{1} << (8 * bytes - 1);
  *negative = (*low & sign) != 0;
  if (*negative) *high = UINT32_MAX, *low |= ~(sign | (sign - 1));
  return Status::kOk;
}

Status Reader::Integer(bool* negative, uint64_t* bits) {
  uint32_t high = 0, low = 0;
  if (Halves(negative, &high, &low) != Status::kOk) return Status::kMalformed;
  *bits = static_cast<uint64_t>(high) << 32 | low;
  return Status::kOk;
}

Status Reader::Unsigned32(uint32_t maximum, uint32_t* value) {
  bool negative = false;
  uint32_t high = 0;
  if (Halves(&negative, &high, value) != Status::kOk || high != 0 || *value > maximum) return Status::kMalformed;
  return Status::kOk;
}

Status Reader::Unsigned(uint64_t maximum, uint64_t* value) {
  bool negative = false;
  if (Integer(&negative, value) != Status::kOk || negative || *value > maximum) return Status::kMalformed;
  return Status::kOk;
}

Status Reader::Signed(int64_t minimum, int64_t maximum, int64_t* value) {
  bool negative = false;
  uint64_t bits = 0;
  if (Integer(&negative, &bits) != Status::kOk) return Status::kMalformed;
  if (!negative && bits > static_cast<uint64_t>(INT64_MAX)) return Status::kMalformed;
  *value = static_cast<int64_t>(bits);
  return *value < minimum || *value > maximum ? Status::kMalformed : Status::kOk;
}

Status Reader::Float(float* value) {
  if (left() == 0) return Status::kMalformed;
  const uint8_t code = data_[at_];
  uint32_t high = 0, low = 0;
  if (code == kFloat32 || code == kFloat64) {
    ++at_;
    if (BigEndian(4, &high) != Status::kOk) return Status::kMalformed;
    if (code == kFloat32) {
      *value = FloatOfBits(high);
      return Status::kOk;
    }
    if (BigEndian(4, &low) != Status::kOk) return Status::kMalformed;
    *value = FloatFromDoubleBits(high, low);
    return Status::kOk;
  }
  bool negative = false;
  if (Halves(&negative, &high, &low) != Status::kOk) return Status::kMalformed;
  if (negative) {  // its magnitude
    low = ~low + 1;
    high = ~high + (low == 0 ? 1 : 0);
  }
  // What does not fit 32 bits is halved until it does, and what falls off kept as "something": then the conversion
  // rounds as that of all 64 bits would.
  float scale = 1;
  for (; high != 0; high >>= 1) {
    low = (high << 31) | (low >> 1) | (low & 1);
    scale *= 2;
  }
  *value = static_cast<float>(low) * (negative ? -scale : scale);
  return Status::kOk;
}

bool Reader::AtBool() const { return left() > 0 && (data_[at_] == kTrue || data_[at_] == kFalse); }

Status Reader::Bool(bool* value) {
  if (!AtBool()) return Status::kMalformed;
  *value = data_[at_++] == kTrue;
  return Status::kOk;
}

bool Reader::TakeNil() {
  if (left() == 0 || data_[at_] != kNil) return false;
  ++at_;
  return true;
}

Status Reader::String(Text* text) {
  if (left() == 0) return Status::kMalformed;
  const uint8_t code = Byte();
  uint32_t n = code & 0x1F;
  if (code < 0xA0 || code > 0xBF) {
    if (code < kStr8 || code > kStr32) return Status::kMalformed;
    if (BigEndian(static_cast<uint8_t>(1u << (code - kStr8)), &n) != Status::kOk) return Status::kMalformed;
  }
  const uint8_t* bytes = nullptr;
  if (Take(n, &bytes) != Status::kOk || !IsUtf8(bytes, static_cast<size_t>(n))) return Status::kMalformed;
  *text = Text{reinterpret_cast<const char*>(bytes), static_cast<size_t>(n)};
  return Status::kOk;
}

Status Reader::Binary(Bytes* bytes) {
  if (left() == 0) return Status::kMalformed;
  const uint8_t code = Byte();
  uint32_t n = 0;
  if (code < kBin8 || code > kBin32) return Status::kMalformed;
  if (BigEndian(static_cast<uint8_t>(1u << (code - kBin8)), &n) != Status::kOk) return Status::kMalformed;
  bytes->size = static_cast<size_t>(n);
  return Take(n, &bytes->data);
}

Status Reader::Item(Raw* raw) {
  // Counts items still to be read instead of recursing: nesting costs no stack. A container's children take at least a
  // byte each, so `pending` stays bounded by the bytes that are there.
  const size_t start = at_;
  size_t pending = 1;
  while (pending > 0) {
    if (pending > left()) return Status::kMalformed;
    --pending;
    const uint8_t code = Byte();
    uint32_t n = 0;     // bytes of content, or items where the content is items
    uint8_t items = 0;  // per counted item: 1 in an array, 2 in a map, 0 for bytes
    if (code < 0x80 || code >= 0xE0) continue;
    if (code < 0xC0) {
      n = code & (code < 0xA0 ? 0x0Fu : 0x1Fu);
      if (code < 0xA0) items = code < 0x90 ? 2 : 1;
    } else {
      const uint8_t head = flash::ReadU8(kHeads[code - 0xC0]);
      if (head == kNever) return Status::kMalformed;
      const uint8_t length_code = (head >> 5) & 3;
      if (length_code > 0) {
        if (BigEndian(static_cast<uint8_t>(1u << (length_code - 1)), &n) != Status::kOk) return Status::kMalformed;
        if (n > left()) return Status::kMalformed;
      }
      n += head & 0x1Fu;
      if (head >= kCounted) items = code >= 0xDE ? 2 : 1;
    }
    if (n > left()) return Status::kMalformed;
    if (items > 0) {
      pending += static_cast<size_t>(n) * items;
    } else {
      at_ += static_cast<size_t>(n);
    }
  }
  *raw = Raw{data_ + start, at_ - start};
  return Status::kOk;
}

float FloatFromDoubleBits(uint32_t high, uint32_t low) {
  const uint32_t sign = high & 0x80000000u;
  const int16_t exponent = static_cast<int16_t>(high >> 20 & 0x7FF);
  const uint32_t fraction = high & 0xFFFFFu;
  constexpr uint32_t kInfinity = 0x7F800000u;
  if (exponent == 0x7FF) return FloatOfBits(sign | kInfinity | ((fraction | low) != 0 ? 0x400000u : 0u));
  const int16_t rebased = static_cast<int16_t>(exponent - 1023 + 127);
  if (rebased >= 255) return FloatOfBits(sign | kInfinity);
  // The significand's upper 25 bits, of which the last is half a unit; the rest only matters by being something.
  uint32_t kept = (fraction | 0x100000u) << 4 | low >> 28;
  bool more = (low << 4) != 0;
  int16_t shift = 0;
  if (rebased <= 0) shift = static_cast<int16_t>(1 - rebased);  // a small number becomes an f32 subnormal
  if (exponent == 0 || shift > 25) return FloatOfBits(sign);
  for (; shift > 0; --shift) {
    more = more || (kept & 1) != 0;
    kept >>= 1;
  }
  const bool half = (kept & 1) != 0;
  kept >>= 1;
  if (half && (more || (kept & 1) != 0)) ++kept;
  // `kept` holds the leading one, which adds 1 to the exponent below; so does a carry out of the rounding.
  const uint32_t biased = rebased > 0 ? static_cast<uint32_t>(rebased - 1) << 23 : 0u;
  return FloatOfBits(sign | (biased + kept));
}

}  // namespace wire
}  // namespace spikedaq
