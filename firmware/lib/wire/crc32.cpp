#include "wire/crc32.h"

#include "flash/flash.h"

namespace spikedaq {
namespace wire {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;  // 0x04C11DB7 with its bits reflected

struct Table {
  uint32_t entry[256];
};

constexpr Table MakeTable() {
  Table table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    table.entry[i] = crc;
  }
  return table;
}

constexpr Table kTable SPIKEDAQ_FLASH = MakeTable();

}  // namespace

uint32_t Crc32(const uint8_t* data, size_t n, uint32_t crc) {
  crc = ~crc;
  for (size_t i = 0; i < n; ++i) crc = (crc >> 8) ^ flash::ReadU32(kTable.entry[(crc ^ data[i]) & 0xFFu]);
  return ~crc;
}

}  // namespace wire
}  // namespace spikedaq
