/// CRC-32 of IEEE 802.3, zlib and PNG.
#ifndef SPIKEDAQ_WIRE_CRC32_H_
#define SPIKEDAQ_WIRE_CRC32_H_

#include <stddef.h>
#include <stdint.h>

namespace spikedaq {
namespace wire {

/// CRC-32 of `n` bytes; pass an earlier result as `crc` to go on from there.
uint32_t Crc32(const uint8_t* data, size_t n, uint32_t crc = 0);

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_CRC32_H_
