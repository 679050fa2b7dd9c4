#include "sampling/sampler.h"

namespace spikedaq {
namespace sampling {

void Sampler::Start(uint16_t block_samples) {
  Stop();
  running_ = true;
  block_samples_ = block_samples;
  next_flags_ = wire::kBlockAfterStart;
}

void Sampler::Stop() {
  open_ = nullptr;
  running_ = false;
  next_flags_ = 0;
  EndOverrun();
}

void Sampler::Clear() {
  Stop();
  used_ = 0;
  first_ = 0;
  overrun_ended_ = false;
  overruns_ = 0;
  overrun_samples_ = 0;
}

bool Sampler::HasRoom(uint32_t step_us, uint8_t flags) const {
  return !running_ || used_ < n_blocks_ || FitsOpen(step_us, flags);
}

Status Sampler::Push(const uint64_t& step, const uint64_t& tick, uint32_t step_us, const int16_t* values,
                     uint8_t flags) {
  if (!running_) return Status::kOk;
  if (!FitsOpen(step_us, flags)) open_ = nullptr;
  if (open_ == nullptr) {
    if (used_ == n_blocks_) {
      if (!overrunning_) {
        overrunning_ = true;
        overrun_ = Overrun{step, static_cast<uint32_t>(tick), 0};
        ++overruns_;
      }
      ++overrun_.n_samples;
      ++overrun_samples_;
      return Status::kExhausted;
    }
    if (overrunning_) next_flags_ |= wire::kBlockAfterOverrun;
    EndOverrun();
    const uint16_t slot = Slot(used_);
    ++used_;
    open_ = &heads_[slot];
    next_value_ = Values(slot);
    open_->first_step = step;
    open_->first_tick = static_cast<uint32_t>(tick);
    open_->step_us = step_us;
    open_->n = 0;
    open_->flags = next_flags_;
    next_flags_ = 0;
  }
  BlockHead& head = *open_;
  int16_t* to = next_value_++;
  const uint16_t capacity = capacity_;  // a member could be what is written, so it would be read for each channel
  for (uint8_t channel = n_channels_; channel > 0; --channel, to += capacity) *to = *values++;
  head.flags |= flags;
  ++head.n;
  if (head.n == block_samples_) open_ = nullptr;
  return Status::kOk;
}

void Sampler::Skip(uint64_t step, uint64_t tick, uint32_t n) {
  if (!running_ || n == 0) return;
  open_ = nullptr;
  if (!overrunning_) {
    overrunning_ = true;
    overrun_ = Overrun{step, static_cast<uint32_t>(tick), 0};
    ++overruns_;
  }
  overrun_.n_samples += n;
  overrun_samples_ += n;
}

void Sampler::Release() {
  first_ = Slot(1);
  --used_;
}

void Sampler::EndOverrun() {
  if (!overrunning_) return;
  overrunning_ = false;
  // Two overruns can only end before one is taken if the caller does not look; the older one then keeps its place.
  if (overrun_ended_) {
    ended_.n_samples += overrun_.n_samples;
  } else {
    ended_ = overrun_;
  }
  overrun_ended_ = true;
}

bool Sampler::TakeOverrun(Overrun* overrun) {
  if (!overrun_ended_) return false;
  overrun_ended_ = false;
  *overrun = ended_;
  return true;
}

}  // namespace sampling
}  // namespace spikedaq
