/// A clock that runs wrong, as a crystal does: a constant error, a ramp, and a swing with the room's temperature.
#ifndef SPIKEDAQ_NATIVE_SKEWED_CLOCK_H_
#define SPIKEDAQ_NATIVE_SKEWED_CLOCK_H_

#include <math.h>
#include <stdint.h>

#include "fault_spec.h"

namespace spikedaq {
namespace native {

class SkewedClock {
 public:
  explicit SkewedClock(const FaultSpec& spec) : spec_(spec), right_(!spec.touches_clock()) {}

  /// What this clock says, `ns` after it was started.
  uint64_t Shown(uint64_t ns) const {
    return right_ ? ns : static_cast<uint64_t>(static_cast<int64_t>(ns) + Error(static_cast<double>(ns)));
  }

  /// When it says that; the inverse of Shown, within a nanosecond or so.
  uint64_t When(uint64_t shown_ns) const {
    if (right_) return shown_ns;
    // Errors are at most 1 %, so each pass leaves a hundredth of the last one's.
    double ns = static_cast<double>(shown_ns);
    for (int pass = 0; pass < 6; ++pass) ns = static_cast<double>(shown_ns) - static_cast<double>(Error(ns));
    return static_cast<uint64_t>(ns < 0 ? 0 : ns);
  }

 private:
  // Nanoseconds gained up to ns: the integral of skew + ramp t + swing sin(2 pi t / period), which are in 10^-6.
  int64_t Error(double ns) const {
    const double t = ns * 1e-9;
    const double turns = 2 * 3.14159265358979323846 / spec_.skew_period_s;
    const double gained_us = spec_.skew_ppm * t + spec_.skew_ramp_ppm_h / 3600 * t * t / 2 +
                             spec_.skew_swing_ppm / turns * (1 - cos(turns * t));
    return static_cast<int64_t>(floor(gained_us * 1000));
  }

  const FaultSpec spec_;
  const bool right_;
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_SKEWED_CLOCK_H_
