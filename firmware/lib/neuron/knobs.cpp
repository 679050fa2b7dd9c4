#include "neuron/knobs.h"

namespace spikedaq {

namespace {

constexpr uint16_t Least(uint16_t x, uint16_t y) { return x < y ? x : y; }
constexpr uint16_t Most(uint16_t x, uint16_t y) { return x < y ? y : x; }
constexpr uint16_t Median(uint16_t x, uint16_t y, uint16_t z) { return Most(Least(x, y), Least(Most(x, y), z)); }

}  // namespace

template <typename Real>
Real KnobFilter<Real>::Update(uint16_t raw) {
  if (empty_) {
    empty_ = false;
    last_[0] = last_[1] = raw;
    smooth_ = output_ = static_cast<Real>(raw);
    return output_;
  }
  const Real median = static_cast<Real>(Median(last_[0], last_[1], raw));
  last_[0] = last_[1];
  last_[1] = raw;
  smooth_ = smooth_ + Real(0.20) * (median - smooth_);
  const Real change = smooth_ - output_;
  if (change >= deadband_ || change <= -deadband_) output_ = smooth_;
  return output_;
}

template class KnobFilter<float>;
template class KnobFilter<double>;

}  // namespace spikedaq
