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
  open_ = false;
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
  if (!FitsOpen(step_us, flags)) open_ = false;
  if (!open_) {
    if (used_ == n_blocks_) {
      if (!overrunning_) {
        overrunning_ = true;
        overrun_ = Overrun{step, tick, 0};
        ++overruns_;
      }
      ++overrun_.n_samples;
      ++overrun_samples_;
      return Status::kExhausted;
    }
    if (overrunning_) next_flags_ |= wire::kBlockAfterOverrun;
    EndOverrun();
    ++used_;
    open_ = true;
    BlockHead& opened = Newest();
    opened.first_step = step;
    opened.first_tick = tick;
    opened.step_us = step_us;
    opened.n = 0;
    opened.flags = next_flags_;
    next_value_ = Values(Slot(static_cast<uint16_t>(used_ - 1)));
    next_flags_ = 0;
  }
  BlockHead& head = Newest();
  int16_t* to = next_value_++;
  for (uint8_t channel = 0; channel < n_channels_; ++channel, to += capacity_) *to = values[channel];
  head.flags |= flags;
  ++head.n;
  if (head.n == block_samples_) open_ = false;
  return Status::kOk;
}

void Sampler::Skip(uint64_t step, uint64_t tick, uint32_t n) {
  if (!running_ || n == 0) return;
  open_ = false;
  if (!overrunning_) {
    overrunning_ = true;
    overrun_ = Overrun{step, tick, 0};
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
