/// Memory of an uploaded stimulus waveform. Source: protocol/README.md, section 7.
#ifndef SPIKEDAQ_COMMAND_WAVEFORM_H_
#define SPIKEDAQ_COMMAND_WAVEFORM_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/messages.h"

namespace spikedaq {
namespace command {

constexpr int16_t kMaxRow = 10000;  ///< 100 % in 0.01 %.

class Waveform {
 public:
  /// @param[in] rows    Room for `capacity` rows.
  /// @param[in] stored  Room for (capacity + 7) / 8 bytes: one bit per row, whether it was stored.
  constexpr Waveform(int16_t* rows, uint8_t* stored, uint32_t capacity)
      : rows_(rows), stored_(stored), capacity_(capacity) {}

  /// Forgets the rows and makes room for `n_rows`: kOk or kTooLarge.
  wire::ReplyCode Begin(uint32_t n_rows);
  /// Stores rows, i16 little-endian: kOk, kWrongState before Begin, kBadArguments for half a row, kOutOfRange for a row
  /// or a value that does not exist. If it is not kOk nothing was stored.
  wire::ReplyCode Data(uint32_t first_row, wire::Bytes rows);
  /// Forgets everything, as at boot.
  void Clear() { begun_ = false, n_rows_ = 0, n_stored_ = 0; }

  bool complete() const { return n_rows_ > 0 && n_stored_ == n_rows_; }
  const int16_t* rows() const { return rows_; }
  uint32_t n_rows() const { return n_rows_; }
  uint32_t capacity() const { return capacity_; }

 private:
  int16_t* rows_;
  uint8_t* stored_;
  uint32_t capacity_;
  uint32_t n_rows_ = 0;
  uint32_t n_stored_ = 0;
  bool begun_ = false;
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_WAVEFORM_H_
