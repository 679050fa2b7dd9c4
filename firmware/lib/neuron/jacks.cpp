#include "neuron/jacks.h"

namespace spikedaq {

template <typename Real>
void Photodiode<Real>::Take(uint16_t raw) {
  sum_ = sum_ - counts_[next_] + raw;
  counts_[next_] = raw;
  next_ = next_ + 1 == kMean ? uint8_t(0) : static_cast<uint8_t>(next_ + 1);
  if (filled_ < kMean) ++filled_;
}

template <typename Real>
Real Photodiode<Real>::Drive() const {
  const Real above_dark = static_cast<Real>(sum_) / static_cast<Real>(filled_) - dark_;
  return Real(10) * Clamp(above_dark / Real(400), Real(0), Real(1));
}

template <typename Real>
Real CurrentIn<Real>::Update(uint16_t raw) {
  const Real before = smooth_;
  smooth_ = empty_ ? static_cast<Real>(raw) : smooth_ + Real(0.25) * (static_cast<Real>(raw) - smooth_);
  if (!has_zero()) {
    const Real move = empty_ ? Real(0) : smooth_ - before;
    empty_ = false;
    const bool quiet = move <= Real(kQuietMove) && move >= Real(-kQuietMove) && smooth_ >= Real(kRailLow) &&
                       smooth_ <= Real(kRailHigh);
    quiet_ = quiet ? static_cast<uint8_t>(quiet_ + 1) : uint8_t(0);
    if (has_zero()) zero_ = smooth_;
    return Real(0);
  }
  const Real x = smooth_ - zero_;
  const bool near = x < Real(kDeadZone) && x > Real(-kDeadZone);
  if (near) zero_ = Real(0.995) * zero_ + Real(0.005) * smooth_;
  return CutDeadZone(x) * Real(0.1);
}

template class Photodiode<float>;
template class Photodiode<double>;
template class CurrentIn<float>;
template class CurrentIn<double>;

}  // namespace spikedaq
