/// The part of msgpack that the protocol needs, bounded: a writer into, and a reader out of, memory of the caller's.
#ifndef SPIKEDAQ_WIRE_MSGPACK_H_
#define SPIKEDAQ_WIRE_MSGPACK_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/status.h"

namespace spikedaq {
namespace wire {

/// Text that lies in memory of somebody else's; UTF-8, not ended by a zero.
struct Text {
  const char* data;
  size_t size;
};

/// Bytes that lie in memory of somebody else's.
struct Bytes {
  const uint8_t* data;
  size_t size;
};

/// One msgpack item, whatever it is, as its bytes.
struct Raw {
  const uint8_t* data;
  size_t size;
};

/// Text of a C string.
Text TextOf(const char* text);

/// Writes msgpack, each integer in its shortest form. What does not fit is not written, and `ok()` is false from then
/// on.
class Writer {
 public:
  constexpr Writer(uint8_t* memory, size_t capacity) : memory_(memory), capacity_(capacity) {}

  void Array(uint32_t n);
  void Unsigned(uint64_t value);
  void Signed(int64_t value);
  /// The same, which every field but a step and a long tick fits: a small processor has a hard time with 64 bits.
  void Unsigned8(uint8_t value);
  void Unsigned32(uint32_t value);
  void Signed32(int32_t value);
  void Float(float value);
  void Bool(bool value);
  void Nil();
  void String(Text text);
  void Binary(Bytes bytes);
  void Item(Raw raw);
  /// The head of a text of `n` bytes, which follow through `Item` and `Claim`.
  void StringHead(size_t n);
  /// The head of a bin of `n` bytes; its content follows through `Claim`.
  void BinaryHead(size_t n);
  /// The next `n` bytes, to be filled by the caller, or nullptr if they do not fit.
  uint8_t* Claim(size_t n);

  bool ok() const { return ok_; }
  const uint8_t* data() const { return memory_; }
  size_t size() const { return size_; }

 private:
  void Head(uint8_t code);
  void Head(uint8_t code, uint32_t value, uint8_t value_bytes);
  void Wide(uint8_t code, uint32_t high, uint32_t low);

  uint8_t* memory_;
  size_t capacity_;
  size_t size_ = 0;
  bool ok_ = true;
};

/// Reads msgpack item by item. Every call returns kOk or kMalformed; after kMalformed the position is undefined.
class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  Status Array(uint32_t* n);
  /// An integer of any width from 0 to `maximum`.
  Status Unsigned(uint64_t maximum, uint64_t* value);
  Status Unsigned32(uint32_t maximum, uint32_t* value);
  /// An integer of any width from `minimum` to `maximum`.
  Status Signed(int64_t minimum, int64_t maximum, int64_t* value);
  /// An integer of any width and sign: its 64 bits in two's complement.
  Status Integer(bool* negative, uint64_t* bits);
  /// The same in two halves.
  Status Halves(bool* negative, uint32_t* high, uint32_t* low);
  /// A number: f32, f64 (rounded to f32) or an integer.
  Status Float(float* value);
  Status Bool(bool* value);
  /// Text, which must be UTF-8.
  Status String(Text* text);
  Status Binary(Bytes* bytes);
  /// Any one item, with all it contains.
  Status Item(Raw* raw);
  /// Whether the next item is nil; if so it is read.
  bool TakeNil();
  /// Whether the next item is a boolean.
  bool AtBool() const;

  size_t left() const { return size_ - at_; }

 private:
  /// The next byte. Only where one is left.
  uint8_t Byte() { return data_[at_++]; }
  Status BigEndian(uint8_t bytes, uint32_t* value);
  Status Take(uint32_t n, const uint8_t** bytes);

  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

/// The f32 nearest to an f64 given by the halves of its bits (ties to even). Without `double`, which has four bytes on
/// an AVR, and without 64-bit shifts.
float FloatFromDoubleBits(uint32_t high, uint32_t low);

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_MSGPACK_H_
