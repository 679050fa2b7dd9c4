#include "wire/crc32.h"

#include "flash/flash.h"

namespace spikedaq {
namespace wire {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;  // 0x04C11DB7 with its bits reflected

template <uint16_t n, uint8_t shift>
struct Table {
  uint32_t entry[n];

  constexpr Table() : entry{} {
    for (uint32_t i = 0; i < n; ++i) {
      uint32_t crc = i << shift;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
      entry[i] = crc;
    }
  }
};

#ifndef SPIKEDAQ_SMALL_TABLES
constexpr Table<256, 0> kTable SPIKEDAQ_FLASH;

inline uint32_t Entry(uint8_t index) { return flash::ReadU32(kTable.entry[index]); }
#else
// The entry of a byte is that of its low half and that of its high half: 128 bytes instead of 1024, and on an AVR some
// 25 cycles more per byte.
constexpr Table<16, 0> kLow SPIKEDAQ_FLASH;
constexpr Table<16, 4> kHigh SPIKEDAQ_FLASH;

// Offsets in bytes and in eight bits, which spares an AVR shifting sixteen.
inline uint32_t At(const uint32_t* table, uint8_t offset) {
  return flash::ReadU32(*reinterpret_cast<const uint32_t*>(reinterpret_cast<const uint8_t*>(table) + offset));
}

inline uint32_t Entry(uint8_t index) {
  return At(kLow.entry, static_cast<uint8_t>(static_cast<uint8_t>(index << 2) & 0x3Cu)) ^
         At(kHigh.entry, static_cast<uint8_t>(static_cast<uint8_t>(index >> 2) & 0x3Cu));
}
#endif

}  // namespace

uint32_t Crc32(const uint8_t* data, size_t n, uint32_t crc) {
  crc = ~crc;
  for (size_t i = 0; i < n; ++i) crc = (crc >> 8) ^ Entry(static_cast<uint8_t>(crc ^ data[i]));
  return ~crc;
}

}  // namespace wire
}  // namespace spikedaq
