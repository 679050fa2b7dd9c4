/// From jacks and the photodiode to the model's inputs, and from its outputs to converters (stock v3.1 maps).
///
/// Counts are those of 12-bit converters, 0 to 4095.
#ifndef SPIKEDAQ_NEURON_JACKS_H_
#define SPIKEDAQ_NEURON_JACKS_H_

#include <stdint.h>

#include "neuron/knobs.h"

namespace spikedaq {

/// Potential of a presynaptic neuron, -110 to 100 mV; the inverse of AxonCode.
template <typename Real>
constexpr Real SynapseVm(Real counts) {
  return Real(-110) + counts * Real(210) / Real(kAdcMax);
}

/// Code of the axon's converter: 0 at -110 mV, 4095 at 100 mV.
template <typename Real>
constexpr uint16_t AxonCode(Real vm_mv) {
  const Real share = Clamp((vm_mv + Real(110)) / Real(210), Real(0), Real(1));
  return static_cast<uint16_t>(RoundHalfAway(share * Real(kAdcMax)));
}

/// Code of the stimulus converter: 1 at -100 %, 2048 at 0, 4095 at 100 %.
template <typename Real>
constexpr uint16_t StimulusCode(Real percent) {
  const Real code = static_cast<Real>(RoundHalfAway(Clamp(percent, Real(-100), Real(100)) * Real(20.47)));
  return static_cast<uint16_t>(Real(kAdcCentre) + code);
}

/// Duty of the stimulus light, 0 to 1023: 0 up to 1 %, full at 100 %; dark for a negative stimulus.
template <typename Real>
constexpr uint16_t StimulusDuty(Real percent) {
  return static_cast<uint16_t>(Clamp((percent - Real(1)) * Real(1023) / Real(99), Real(0), Real(1023)));
}

/// The photodiode: mean of the last ten counts, above the dark ones.
template <typename Real>
class Photodiode {
 public:
  /// Sets the count of darkness, the mean of some 200 counts taken at boot with the stimulus off.
  void SetDark(Real counts) { dark_ = counts; }

  /// Takes one count, gives the drive of the model: 0 (dark) to 10 (400 counts above dark, or more).
  Real Update(uint16_t raw) {
    Take(raw);
    return Drive();
  }
  /// The same in two parts, for where nobody may want the drive, which costs two divisions.
  void Take(uint16_t raw);
  Real Drive() const;

 private:
  static constexpr uint8_t kMean = 10;
  uint16_t counts_[kMean] = {};
  uint32_t sum_ = 0;
  uint8_t next_ = 0;
  uint8_t filled_ = 0;
  Real dark_ = Real(0);
};

/// The current-in jack. It is bipolar about a zero that it learns, and gives no current until it has learnt one.
template <typename Real>
class CurrentIn {
 public:
  /// Takes one count, gives the current in a.u., about -177 to 177 for a zero in the middle.
  Real Update(uint16_t raw);

  bool has_zero() const { return quiet_ >= kQuietSteps; }

  /// In counts; meaningful once has_zero().
  Real zero() const { return zero_; }

 private:
  // A zero is learnt from this many neighbouring filtered counts that each move by at most kQuietMove and stay off
  // both rails (at 2 ms a step, about 100 ms).
  static constexpr uint8_t kQuietSteps = 50;
  static constexpr int kQuietMove = 8;
  static constexpr int kRailLow = 81;
  static constexpr int kRailHigh = 4014;

  Real smooth_ = Real(0);
  Real zero_ = Real(0);
  uint8_t quiet_ = 0;
  bool empty_ = true;
};

extern template class Photodiode<float>;
extern template class Photodiode<double>;
extern template class CurrentIn<float>;
extern template class CurrentIn<double>;

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_JACKS_H_
