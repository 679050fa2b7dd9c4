#include "wire/cobs.h"

namespace spikedaq {
namespace wire {

size_t CobsEncode(const uint8_t* in, size_t n, uint8_t* out) {
  size_t length_at = 0;  // where the length byte of the open group goes
  size_t size = 1;
  uint8_t length = 1;
  for (size_t i = 0; i < n; ++i) {
    if (in[i] != 0) {
      out[size++] = in[i];
      ++length;
    }
    // A full group implies no zero, so after it a new one is opened only if bytes follow.
    const bool full = in[i] != 0 && length == 255 && i + 1 < n;
    if (in[i] == 0 || full) {
      out[length_at] = length;
      length_at = size++;
      length = 1;
    }
  }
  out[length_at] = length;
  return size;
}

Status CobsDecode(const uint8_t* in, size_t n, uint8_t* out, size_t* out_size) {
  size_t size = 0;
  size_t i = 0;
  while (i < n) {
    const uint8_t length = in[i++];
    if (length == 0 || static_cast<size_t>(length - 1) > n - i) return Status::kBadCobs;
    for (uint8_t k = 1; k < length; ++k) {
      if (in[i] == 0) return Status::kBadCobs;
      out[size++] = in[i++];
    }
    if (length < 255 && i < n) out[size++] = 0;
  }
  *out_size = size;
  return Status::kOk;
}

}  // namespace wire
}  // namespace spikedaq
