/// The stimulus generator: a square wave, or an uploaded waveform at one row per step.
#ifndef SPIKEDAQ_NEURON_STIMULUS_H_
#define SPIKEDAQ_NEURON_STIMULUS_H_

#include <stdint.h>

namespace spikedaq {

/// Shortest square wave: one step on, one off.
constexpr uint32_t kMinStimulusPeriod = 2;

/// What the generator gives at one step.
template <typename Real>
struct StimulusSample {
  Real percent;           ///< -100 to 100; 0 while off.
  bool trigger;           ///< True on the first step of each period or loop, for that one step.
  bool from_waveform;     ///< True while a waveform plays, and in the silence after one.
  uint32_t loop;          ///< Number, since boot and from 0, of the period or loop that this step belongs to.
  bool waveform_ended;    ///< True on the first step after a waveform: run out, stopped, or replaced.
  uint32_t loops_played;  ///< Where waveform_ended: number of loops that were begun. Otherwise 0.
};

/// Square wave and, but with SPIKEDAQ_WITHOUT_WAVEFORM, waveform player (protocol/README.md, sections 4.3 and 7).
template <typename Real>
class Stimulus {
 public:
  /// Makes one step.
  ///
  /// @param[in] strength_percent  Of the square wave; acts at once. Inactive below 5 % (not for waveforms).
  /// @param[in] period_steps      Of the square wave; acts at the start of the next period.
  StimulusSample<Real> Step(Real strength_percent, uint32_t period_steps);

#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  /// Names the waveform, in 0.01 %. The rows stay the caller's and must stay unchanged while they play. No rows
  /// (nullptr, 0) forget the waveform. Stops a playing waveform.
  void SetWaveform(const int16_t* rows_centipercent, uint32_t n_rows);

  /// Starts the waveform at the next step, from its first row, also if it is playing. False if there is none.
  bool PlayWaveform(bool loop);

  /// Back to the square wave, which starts a new period. Does nothing if the square wave is on already.
  void StopWaveform();

  bool waveform_playing() const { return mode_ == Mode::kWaveform; }

  /// Loops begun since the last PlayWaveform.
  uint32_t waveform_loops() const { return waveform_loops_; }
#endif

  /// Periods and loops begun since boot.
  uint32_t loops() const { return loops_; }

 private:
  void StepSquare(Real strength_percent, uint32_t period_steps, StimulusSample<Real>* out);
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  enum class Mode : uint8_t { kSquare, kWaveform, kSilence };

  void StepWaveform(StimulusSample<Real>* out);
  void LeaveWaveform(Mode next);

  const int16_t* rows_ = nullptr;
  uint32_t n_rows_ = 0;
  uint32_t waveform_loops_ = 0;
  uint32_t ended_loops_ = 0;
  Mode mode_ = Mode::kSquare;
  bool repeat_ = false;
  bool ended_ = false;
#endif
  uint32_t position_ = 0;  // Row of the next step, or step within the period.
  uint32_t period_ = 0;    // Of the period that is running.
  uint32_t loops_ = 0;
};

extern template class Stimulus<float>;
extern template class Stimulus<double>;

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_STIMULUS_H_
