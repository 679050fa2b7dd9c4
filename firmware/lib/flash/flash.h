/// Constant tables and texts that are read from the program memory.
///
/// An AVR has two address spaces: what is not asked to stay in flash is copied to its 2 KB of RAM at start, and what
/// stays there cannot be read through a plain pointer. Everywhere else all of this is plain `const`.
#ifndef SPIKEDAQ_FLASH_FLASH_H_
#define SPIKEDAQ_FLASH_FLASH_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVR__
#include <avr/pgmspace.h>
/// Follows the name of a constant at namespace scope, which must then be read with flash::Read.
#define SPIKEDAQ_FLASH PROGMEM
#else
#define SPIKEDAQ_FLASH
#endif

namespace spikedaq {
namespace flash {

/// A copy of a constant that was declared with SPIKEDAQ_FLASH, or of an element of one.
template <class T>
inline T Read(const T& constant) {
#ifdef __AVR__
  T copy;
  memcpy_P(&copy, &constant, sizeof copy);
  return copy;
#else
  return constant;
#endif
}

/// One byte of a table.
inline uint8_t ReadU8(const uint8_t& constant) {
#ifdef __AVR__
  return pgm_read_byte(&constant);
#else
  return constant;
#endif
}

/// One u32 of a table: what a loop reads byte by byte, so without a call.
inline uint32_t ReadU32(const uint32_t& constant) {
#ifdef __AVR__
  return pgm_read_dword(&constant);
#else
  return constant;
#endif
}

/// A text that ends with a zero: a `constexpr char[]` declared with SPIKEDAQ_FLASH.
struct Text {
  const char* at;

  /// Its bytes, without the zero.
  size_t Size() const {
#ifdef __AVR__
    return strlen_P(at);
#else
    return strlen(at);
#endif
  }
  /// Copies Size() bytes.
  void CopyTo(uint8_t* to) const {
#ifdef __AVR__
    memcpy_P(to, at, Size());
#else
    memcpy(to, at, Size());
#endif
  }
};

}  // namespace flash
}  // namespace spikedaq

#endif  // SPIKEDAQ_FLASH_FLASH_H_
