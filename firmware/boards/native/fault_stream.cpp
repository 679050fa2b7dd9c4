#include "fault_stream.h"

#include <math.h>

namespace spikedaq {
namespace native {

uint64_t FaultRandom::Next() {
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void FaultDice::SetRate(double rate) {
  if (rate == rate_) return;
  rate_ = rate;
  Draw();
}

void FaultDice::Draw() {
  if (rate_ <= 0) {
    misses_ = UINT64_MAX;
  } else if (rate_ >= 1) {
    misses_ = 0;
  } else {
    // Misses before a hit are geometrically distributed; inverted, with u in (0, 1].
    const double misses = floor(log(random_.Uniform()) / log1p(-rate_));
    misses_ = misses < 9e18 ? static_cast<uint64_t>(misses) : UINT64_MAX - 1;
  }
}

bool FaultDice::Hit() {
  if (rate_ <= 0) return false;
  if (misses_ > 0) {
    --misses_;
    return false;
  }
  Draw();
  return true;
}

FaultStream::FaultStream(const FaultSpec& spec, uint64_t direction)
    : flip_(spec.seed, direction * 8 + 0),
      drop_(spec.seed, direction * 8 + 1),
      drop_frame_(spec.seed, direction * 8 + 2),
      duplicate_(spec.seed, direction * 8 + 3),
      truncate_(spec.seed, direction * 8 + 4),
      cut_(spec.seed * 16 + direction * 8 + 5) {
  Change(spec);
}

void FaultStream::Change(const FaultSpec& spec) {
  flip_.SetRate(spec.flip);
  drop_.SetRate(spec.drop);
  drop_frame_.SetRate(spec.drop_frame);
  duplicate_.SetRate(spec.duplicate);
  truncate_.SetRate(spec.truncate);
  framed_ = spec.touches_frames();
}

void FaultStream::Pass(const uint8_t* bytes, size_t n, std::vector<uint8_t>* out) {
  counts_.bytes_in += n;
  if (!framed_ && lose_ == 0 && frame_.empty()) {
    Emit(bytes, n, out);
    return;
  }
  for (size_t k = 0; k < n; ++k) {
    frame_.push_back(bytes[k]);
    if (bytes[k] == 0 || frame_.size() >= kMaxFrameBytes) EndFrame(out);
  }
}

void FaultStream::EndFrame(std::vector<uint8_t>* out) {
  if (frame_.size() == 1) {  // a 00 between frames
    Emit(frame_.data(), 1, out);
    frame_.clear();
    return;
  }
  const bool dropped = drop_frame_.Hit();
  const bool twice = duplicate_.Hit();
  const bool cut = truncate_.Hit();
  if (lose_ > 0 || dropped) {
    if (lose_ > 0) --lose_;
    ++counts_.dropped_frames;
  } else {
    if (cut) {
      ++counts_.truncated_frames;
      frame_.resize(1 + cut_.Next() % (frame_.size() - 1));
      frame_.back() = 0;
    }
    if (twice) {
      ++counts_.duplicated_frames;
      Emit(frame_.data(), frame_.size(), out);
    }
    Emit(frame_.data(), frame_.size(), out);
  }
  frame_.clear();
}

void FaultStream::Emit(const uint8_t* bytes, size_t n, std::vector<uint8_t>* out) {
  const size_t before = out->size();
  for (size_t k = 0; k < n; ++k) {
    if (drop_.Hit()) {
      ++counts_.dropped_bytes;
      continue;
    }
    uint8_t byte = bytes[k];
    if (flip_.misses() >= 8) {
      flip_.Skip(8);
    } else {
      for (int bit = 0; bit < 8; ++bit) {
        if (!flip_.Hit()) continue;
        byte = static_cast<uint8_t>(byte ^ (1u << bit));
        ++counts_.flipped_bits;
      }
    }
    out->push_back(byte);
  }
  counts_.bytes_out += out->size() - before;
}

}  // namespace native
}  // namespace spikedaq
