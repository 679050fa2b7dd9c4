#include "wire/message_codec.h"

namespace spikedaq {
namespace wire {

Status ReadType(Reader& r, uint8_t* type, uint32_t* n_fields) {
  bool negative = false;
  uint32_t n = 0, high = 0, low = 0;
  if (r.Array(&n) != Status::kOk || n == 0) return Status::kMalformed;
  if (r.Halves(&negative, &high, &low) != Status::kOk) return Status::kMalformed;
  *type = high == 0 && low <= UINT8_MAX ? static_cast<uint8_t>(low) : 0;  // no message has type 0
  *n_fields = n - 1;
  return Status::kOk;
}

bool PairReader::Next(uint8_t* index, bool* is_nil, float* value) {
  if (status_ != Status::kOk || left_ == 0) return false;
  left_ -= 2;
  uint32_t wide = 0;
  status_ = reader_.Unsigned32(UINT8_MAX, &wide);
  if (status_ != Status::kOk) return false;
  *index = static_cast<uint8_t>(wide);
  *value = 0;
  *is_nil = reader_.TakeNil();
  if (*is_nil) return true;
  bool truth = false;
  if (reader_.AtBool()) {
    status_ = reader_.Bool(&truth);
    *value = truth ? 1.0f : 0.0f;
  } else {
    status_ = reader_.Float(value);
  }
  return status_ == Status::kOk;
}

}  // namespace wire
}  // namespace spikedaq
