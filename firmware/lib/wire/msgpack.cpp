// Source: the msgpack specification, github.com/msgpack/msgpack/blob/master/spec.md.
#include "wire/msgpack.h"

#include <string.h>

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

void Writer::Head(uint8_t code, uint64_t value, uint8_t value_bytes) {
  uint8_t* to = Claim(1u + value_bytes);
  if (to == nullptr) return;
  *to++ = code;
  for (uint8_t k = value_bytes; k > 0; --k) *to++ = static_cast<uint8_t>(value >> (8 * (k - 1)));
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
  if (n < 16) return Head(static_cast<uint8_t>(0x90 | n), 0, 0);
  if (n <= 0xFFFF) return Head(kArray16, n, 2);
  Head(kArray32, n, 4);
}

void Writer::Unsigned(uint64_t value) {
  if (value < 0x80) return Head(static_cast<uint8_t>(value), 0, 0);
  if (value <= 0xFF) return Head(kUint8, value, 1);
  if (value <= 0xFFFF) return Head(kUint16, value, 2);
  if (value <= 0xFFFFFFFFu) return Head(kUint32, value, 4);
  Head(kUint64, value, 8);
}

void Writer::Signed(int64_t value) {
  const uint64_t bits = static_cast<uint64_t>(value);
  if (value >= 0) return Unsigned(bits);
  if (value >= -32) return Head(static_cast<uint8_t>(bits), 0, 0);
  if (value >= INT8_MIN) return Head(kInt8, bits, 1);
  if (value >= INT16_MIN) return Head(kInt16, bits, 2);
  if (value >= INT32_MIN) return Head(kInt32, bits, 4);
  Head(kInt64, bits, 8);
}

void Writer::Float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  Head(kFloat32, bits, 4);
}

void Writer::Bool(bool value) { Head(value ? kTrue : kFalse, 0, 0); }

void Writer::Nil() { Head(kNil, 0, 0); }

void Writer::String(Text text) {
  if (text.size < 32) {
    Head(static_cast<uint8_t>(0xA0 | text.size), 0, 0);
  } else if (text.size <= 0xFF) {
    Head(kStr8, text.size, 1);
  } else if (text.size <= 0xFFFF) {
    Head(kStr16, text.size, 2);
  } else {
    ok_ = false;  // no text of the protocol is that long
  }
  Item(Raw{reinterpret_cast<const uint8_t*>(text.data), text.size});
}

void Writer::BinaryHead(size_t n) {
  if (n <= 0xFF) return Head(kBin8, n, 1);
  if (n <= 0xFFFF) return Head(kBin16, n, 2);
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

Status Reader::Take(uint64_t n, const uint8_t** bytes) {
  if (n > left()) return Status::kMalformed;
  *bytes = data_ + at_;
  at_ += static_cast<size_t>(n);
  return Status::kOk;
}

Status Reader::BigEndian(uint8_t bytes, uint64_t* value) {
  const uint8_t* from = nullptr;
  if (Take(bytes, &from) != Status::kOk) return Status::kMalformed;
  *value = 0;
  for (uint8_t k = 0; k < bytes; ++k) *value = *value << 8 | from[k];
  return Status::kOk;
}

Status Reader::Array(uint32_t* n) {
  uint64_t code = 0, value = 0;
  if (BigEndian(1, &code) != Status::kOk) return Status::kMalformed;
  if (code >= 0x90 && code <= 0x9F) {
    value = code & 0x0F;
  } else if (code == kArray16 || code == kArray32) {
    if (BigEndian(code == kArray16 ? 2 : 4, &value) != Status::kOk) return Status::kMalformed;
  } else {
    return Status::kMalformed;
  }
  if (value > left()) return Status::kMalformed;  // an item takes at least one byte
  *n = static_cast<uint32_t>(value);
  return Status::kOk;
}

Status Reader::Integer(bool* negative, uint64_t* bits) {
  uint64_t code = 0;
  *negative = false;
  if (BigEndian(1, &code) != Status::kOk) return Status::kMalformed;
  if (code < 0x80) {
    *bits = code;
    return Status::kOk;
  }
  if (code >= 0xE0) {
    *negative = true;
    *bits = static_cast<uint64_t>(static_cast<int64_t>(code) - 256);
    return Status::kOk;
  }
  if (code >= kUint8 && code <= kUint64) return BigEndian(static_cast<uint8_t>(1u << (code - kUint8)), bits);
  if (code < kInt8 || code > kInt64) return Status::kMalformed;
  const uint8_t bytes = static_cast<uint8_t>(1u << (code - kInt8));
  if (BigEndian(bytes, bits) != Status::kOk) return Status::kMalformed;
  const uint64_t sign = uint64_t{1} << (8 * bytes - 1);
  *negative = (*bits & sign) != 0;
  if (*negative) *bits |= ~(sign | (sign - 1));
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
  uint64_t bits = 0;
  if (code == kFloat32 || code == kFloat64) {
    ++at_;
    if (BigEndian(code == kFloat32 ? 4 : 8, &bits) != Status::kOk) return Status::kMalformed;
    *value = code == kFloat32 ? FloatOfBits(static_cast<uint32_t>(bits)) : FloatFromDoubleBits(bits);
    return Status::kOk;
  }
  bool negative = false;
  if (Integer(&negative, &bits) != Status::kOk) return Status::kMalformed;
  *value = negative ? static_cast<float>(static_cast<int64_t>(bits)) : static_cast<float>(bits);
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
  uint64_t code = 0, n = 0;
  if (BigEndian(1, &code) != Status::kOk) return Status::kMalformed;
  if (code >= 0xA0 && code <= 0xBF) {
    n = code & 0x1F;
  } else if (code < kStr8 || code > kStr32 ||
             BigEndian(static_cast<uint8_t>(1u << (code - kStr8)), &n) != Status::kOk) {
    return Status::kMalformed;
  }
  const uint8_t* bytes = nullptr;
  if (Take(n, &bytes) != Status::kOk || !IsUtf8(bytes, static_cast<size_t>(n))) return Status::kMalformed;
  *text = Text{reinterpret_cast<const char*>(bytes), static_cast<size_t>(n)};
  return Status::kOk;
}

Status Reader::Binary(Bytes* bytes) {
  uint64_t code = 0, n = 0;
  if (BigEndian(1, &code) != Status::kOk || code < kBin8 || code > kBin32) return Status::kMalformed;
  if (BigEndian(static_cast<uint8_t>(1u << (code - kBin8)), &n) != Status::kOk) return Status::kMalformed;
  bytes->size = static_cast<size_t>(n);
  return Take(n, &bytes->data);
}

Status Reader::Item(Raw* raw) {
  // Counts items still to be read instead of recursing: nesting costs no stack. A container's children take at least a
  // byte each, so `pending` stays bounded by the bytes that are there.
  const size_t start = at_;
  uint64_t pending = 1;
  while (pending > 0) {
    if (pending > left()) return Status::kMalformed;
    --pending;
    uint64_t code = 0, n = 0;
    const uint8_t* ignored = nullptr;
    BigEndian(1, &code);
    uint64_t skip = 0;  // bytes of content after the head
    if (code < 0x80 || code >= 0xE0 || code == kNil || code == kFalse || code == kTrue) {
      continue;
    } else if (code <= 0x8F) {
      pending += 2 * (code & 0x0F);
    } else if (code <= 0x9F) {
      pending += code & 0x0F;
    } else if (code <= 0xBF) {
      skip = code & 0x1F;
    } else if (code == 0xC1) {
      return Status::kMalformed;  // never used by msgpack
    } else if (code <= kBin32) {
      if (BigEndian(static_cast<uint8_t>(1u << (code - kBin8)), &skip) != Status::kOk) return Status::kMalformed;
    } else if (code <= 0xC9) {  // ext 8, 16, 32: a length and a type byte
      if (BigEndian(static_cast<uint8_t>(1u << (code - 0xC7)), &skip) != Status::kOk) return Status::kMalformed;
      ++skip;
    } else if (code <= kFloat64) {
      skip = code == kFloat32 ? 4 : 8;
    } else if (code <= kUint64) {
      skip = 1u << (code - kUint8);
    } else if (code <= kInt64) {
      skip = 1u << (code - kInt8);
    } else if (code <= 0xD8) {  // fixext 1, 2, 4, 8, 16: a type byte and the data
      skip = (1u << (code - 0xD4)) + 1;
    } else if (code <= kStr32) {
      if (BigEndian(static_cast<uint8_t>(1u << (code - kStr8)), &skip) != Status::kOk) return Status::kMalformed;
    } else {  // array 16, 32, map 16, 32
      const bool is_map = code >= 0xDE;
      if (BigEndian(code == kArray16 || code == 0xDE ? 2 : 4, &n) != Status::kOk) return Status::kMalformed;
      pending += is_map ? 2 * n : n;
    }
    if (Take(skip, &ignored) != Status::kOk) return Status::kMalformed;
  }
  *raw = Raw{data_ + start, at_ - start};
  return Status::kOk;
}

float FloatFromDoubleBits(uint64_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits >> 63) << 31;
  const int32_t exponent = static_cast<int32_t>(bits >> 52 & 0x7FF);
  const uint64_t fraction = bits & ((uint64_t{1} << 52) - 1);
  if (exponent == 0x7FF) return FloatOfBits(sign | 0x7F800000u | (fraction != 0 ? 0x400000u : 0u));
  const int32_t rebased = exponent - 1023 + 127;
  if (rebased >= 255) return FloatOfBits(sign | 0x7F800000u);
  const int32_t shift = rebased > 0 ? 29 : 30 - rebased;  // a small number becomes an f32 subnormal
  if (exponent == 0 || shift > 60) return FloatOfBits(sign);
  const uint64_t mantissa = fraction | uint64_t{1} << 52;
  const uint64_t rest = mantissa & ((uint64_t{1} << shift) - 1);
  const uint64_t half = uint64_t{1} << (shift - 1);
  uint64_t kept = mantissa >> shift;
  if (rest > half || (rest == half && (kept & 1) != 0)) ++kept;
  // `kept` holds the leading one, which adds 1 to the exponent below; so does a carry out of the rounding.
  const uint32_t high = rebased > 0 ? static_cast<uint32_t>(rebased - 1) << 23 : 0u;
  return FloatOfBits(sign | (high + static_cast<uint32_t>(kept)));
}

}  // namespace wire
}  // namespace spikedaq
