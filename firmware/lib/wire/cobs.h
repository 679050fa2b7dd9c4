/// Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without zeros, so that 0x00 can end a frame.
#ifndef SPIKEDAQ_WIRE_COBS_H_
#define SPIKEDAQ_WIRE_COBS_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/status.h"

namespace spikedaq {
namespace wire {

/// The largest size that `n` bytes can have once encoded, without the closing 0x00.
// Short ones without the division, which costs a small processor more than the encoding of a byte.
constexpr size_t CobsBound(size_t n) { return n <= 254 ? n + 1 : n + (n + 253) / 254; }

/// Encodes `n` bytes.
///
/// @param[in]  in   The plain bytes. They may overlap `out` where they start CobsBound(n) - n bytes behind it or more.
/// @param[out] out  Room for CobsBound(n) bytes.
/// @returns the number of bytes written, without a closing 0x00.
size_t CobsEncode(const uint8_t* in, size_t n, uint8_t* out);

/// Decodes `n` bytes, which must not include the closing 0x00. `out` may be `in`: the result is never longer.
///
/// @returns
/// * kOk: `*out_size` bytes were written.
/// * kBadCobs: a zero among the bytes, or a group that reaches beyond the end.
Status CobsDecode(const uint8_t* in, size_t n, uint8_t* out, size_t* out_size);

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_COBS_H_
