/// Codec 1 of blocks: per channel a base and zigzag differences of the smallest width. Source: protocol/README.md,
/// section 5.
#ifndef SPIKEDAQ_WIRE_PACKED_H_
#define SPIKEDAQ_WIRE_PACKED_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/msgpack.h"
#include "wire/status.h"

namespace spikedaq {
namespace wire {

constexpr uint8_t kMaxPackedWidth = 16;
/// Base and width, which every channel has.
constexpr size_t kPackedHeadBytes = 3;

/// Size of one packed channel. @param[in] n  At least 1. @param[in] width  0 to kMaxPackedWidth.
constexpr size_t PackedBytes(uint16_t n, uint8_t width) {
  return kPackedHeadBytes + (static_cast<size_t>(n - 1) * width + 7) / 8;
}

/// The smallest width that holds every difference between neighbours of `n` (at least 1) values.
uint8_t PackedWidth(const int16_t* values, uint16_t n);

/// Packs one channel.
///
/// @param[in]  width  PackedWidth() of the values, or wider.
/// @param[out] out    Room for PackedBytes(n, width) bytes, all of which are written.
void PackChannel(const int16_t* values, uint16_t n, uint8_t width, uint8_t* out);

/// Reads a payload. Devices only write it; tests and programs that read blocks use this.
///
/// @param[out] values  n * n_channels values, channel by channel.
/// @returns
/// * kOk: every value was written.
/// * kMalformed: n or n_channels is 0, a width is above 16, or the payload is of another length than its widths say.
Status UnpackBlock(Bytes payload, uint16_t n, uint8_t n_channels, int16_t* values);

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_PACKED_H_
