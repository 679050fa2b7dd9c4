/// Reading and writing the messages of messages.h, by the fields that each struct names.
/// Source: protocol/README.md, sections 3 and 4.1.
#ifndef SPIKEDAQ_WIRE_MESSAGE_CODEC_H_
#define SPIKEDAQ_WIRE_MESSAGE_CODEC_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/messages.h"
#include "wire/msgpack.h"
#include "wire/status.h"

namespace spikedaq {
namespace wire {

struct FieldCounter {
  uint32_t n = 0;
  template <class T>
  void operator()(const T&) {
    ++n;
  }
  template <class T>
  void Optional(const T&) {
    ++n;
  }
  template <class Body>
  void Nested(const Body&) {
    ++n;
  }
};

struct FieldWriter {
  Writer& w;
  void operator()(uint64_t value) { w.Unsigned(value); }
  void operator()(uint32_t value) { w.Unsigned32(value); }
  void operator()(uint16_t value) { w.Unsigned32(value); }
  void operator()(uint8_t value) { w.Unsigned8(value); }
  void operator()(int32_t value) { w.Signed32(value); }
  void operator()(int8_t value) { w.Signed32(value); }
  void operator()(float value) { w.Float(value); }
  void operator()(bool value) { w.Bool(value); }
  void operator()(Text value) { w.String(value); }
  void operator()(Bytes value) { w.Binary(value); }
  void operator()(Raw value) { w.Item(value); }
  template <class T>
  void Optional(T value) {
    (*this)(value);
  }
  template <class Body>
  void Nested(const Body& body) {
    FieldCounter counter;
    Body::Fields(counter, body);
    w.Array(counter.n);
    Body::Fields(*this, body);
  }
};

/// Reads fields until one is missing or wrong; `status` says so.
struct FieldReader {
  Reader& r;
  uint32_t left;  ///< Items of the array not yet read.
  Status status = Status::kOk;

  template <class T>
  void operator()(T& value) {
    if (status != Status::kOk) return;
    if (left == 0) {
      status = Status::kMalformed;
      return;
    }
    --left;
    status = Read(value);
  }
  /// A trailing field of a later minor version than 1.0: zero where the sender does not know it.
  template <class T>
  void Optional(T& value) {
    value = T();
    if (left > 0) (*this)(value);
  }
  template <class Body>
  void Nested(Body& body) {
    if (status != Status::kOk) return;
    uint32_t n = 0;
    if (left == 0 || r.Array(&n) != Status::kOk) {
      status = Status::kMalformed;
      return;
    }
    --left;
    FieldReader inner{r, n};
    Body::Fields(inner, body);
    inner.SkipRest();
    status = inner.status;
  }
  /// Unknown trailing fields are ignored, but they must be msgpack.
  void SkipRest() {
    Raw ignored;
    while (status == Status::kOk && left > 0) {
      --left;
      status = r.Item(&ignored);
    }
  }

 private:
  template <class T>
  Status Integer(uint32_t maximum, T& value) {
    uint32_t wide = 0;
    const Status s = r.Unsigned32(maximum, &wide);
    value = static_cast<T>(wide);
    return s;
  }
  template <class T>
  Status SignedInteger(int64_t minimum, int64_t maximum, T& value) {
    int64_t wide = 0;
    const Status s = r.Signed(minimum, maximum, &wide);
    value = static_cast<T>(wide);
    return s;
  }
  Status Read(uint64_t& value) { return r.Unsigned(UINT64_MAX, &value); }
  Status Read(uint32_t& value) { return Integer(UINT32_MAX, value); }
  Status Read(uint16_t& value) { return Integer(UINT16_MAX, value); }
  Status Read(uint8_t& value) { return Integer(UINT8_MAX, value); }
  Status Read(int32_t& value) { return SignedInteger(INT32_MIN, INT32_MAX, value); }
  Status Read(int8_t& value) { return SignedInteger(INT8_MIN, INT8_MAX, value); }
  Status Read(float& value) { return r.Float(&value); }
  Status Read(bool& value) { return r.Bool(&value); }
  Status Read(Text& value) { return r.String(&value); }
  Status Read(Bytes& value) { return r.Binary(&value); }
  Status Read(Raw& value) { return r.Item(&value); }
};

/// Writes a message; `w.ok()` says afterwards whether it fitted.
template <class M>
void Encode(const M& message, Writer& w) {
  FieldCounter counter;
  M::Fields(counter, message);
  w.Array(counter.n + 1);
  w.Unsigned8(static_cast<uint8_t>(M::kType));
  FieldWriter writer{w};
  M::Fields(writer, message);
}

/// The type of a message, with the reader placed after it and `*n_fields` fields to come.
///
/// A type that is no u8, which no message has, comes out as 0.
///
/// @returns kOk, or kMalformed if it is not an array that starts with an integer.
Status ReadType(Reader& r, uint8_t* type, uint32_t* n_fields);

/// What the types of the fields do not say.
template <class M>
bool WithinBounds(const M&) {
  return true;
}
inline bool WithinBounds(const Hello& m) { return m.unique_id.size >= 4 && m.unique_id.size <= 16; }

/// Reads the fields of a message whose type has been read; the whole content must be one msgpack array.
///
/// @returns kOk or kMalformed.
template <class M>
Status DecodeFields(Reader& r, uint32_t n_fields, M* message) {
  FieldReader reader{r, n_fields};
  M::Fields(reader, *message);
  reader.SkipRest();
  if (r.left() != 0 || (reader.status == Status::kOk && !WithinBounds(*message))) return Status::kMalformed;
  return reader.status;
}

/// Reads a message of a known type.
///
/// @returns kOk, kMalformed, or kUnknownType if it is of another type.
template <class M>
Status Decode(Bytes bytes, M* message) {
  Reader r(bytes.data, bytes.size);
  uint8_t type = 0;
  uint32_t n_fields = 0;
  if (ReadType(r, &type, &n_fields) != Status::kOk) return Status::kMalformed;
  if (type != static_cast<uint8_t>(M::kType)) return Status::kUnknownType;
  return DecodeFields(r, n_fields, message);
}

/// Walks through the pairs of a `set`.
class PairReader {
 public:
  explicit PairReader(Raw pairs) : reader_(pairs.data, pairs.size) {
    if (reader_.Array(&left_) != Status::kOk || left_ % 2 != 0) status_ = Status::kMalformed;
  }
  /// The next pair. @returns false after the last and when `status()` is no longer kOk.
  bool Next(uint8_t* index, bool* is_nil, float* value);
  Status status() const { return status_; }

 private:
  Reader reader_;
  uint32_t left_ = 0;
  Status status_ = Status::kOk;
};

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_MESSAGE_CODEC_H_
