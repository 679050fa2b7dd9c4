#include "command/waveform.h"

#include <string.h>

namespace spikedaq {
namespace command {
namespace {

int16_t Row(wire::Bytes rows, size_t k) {
  return static_cast<int16_t>(static_cast<uint16_t>(rows.data[2 * k] | rows.data[2 * k + 1] << 8));
}

}  // namespace

wire::ReplyCode Waveform::Begin(uint32_t n_rows) {
  if (n_rows > capacity_) return wire::ReplyCode::kTooLarge;
  begun_ = true;
  n_rows_ = n_rows;
  n_stored_ = 0;
  memset(stored_, 0, (static_cast<size_t>(n_rows) + 7) / 8);
  return wire::ReplyCode::kOk;
}

wire::ReplyCode Waveform::Data(uint32_t first_row, wire::Bytes rows) {
  if (!begun_) return wire::ReplyCode::kWrongState;
  if (rows.size % 2 != 0) return wire::ReplyCode::kBadArguments;
  const size_t n = rows.size / 2;
  if (first_row > n_rows_ || n > n_rows_ - first_row) return wire::ReplyCode::kOutOfRange;
  for (size_t k = 0; k < n; ++k) {
    if (Row(rows, k) > kMaxRow || Row(rows, k) < -kMaxRow) return wire::ReplyCode::kOutOfRange;
  }
  for (size_t k = 0; k < n; ++k) {
    const size_t at = static_cast<size_t>(first_row) + k;
    const uint8_t bit = static_cast<uint8_t>(1u << at % 8);
    rows_[at] = Row(rows, k);
    if ((stored_[at / 8] & bit) != 0) continue;
    stored_[at / 8] = static_cast<uint8_t>(stored_[at / 8] | bit);
    ++n_stored_;
  }
  return wire::ReplyCode::kOk;
}

}  // namespace command
}  // namespace spikedaq
