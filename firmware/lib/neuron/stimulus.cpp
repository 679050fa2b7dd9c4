#include "neuron/stimulus.h"

namespace spikedaq {

#ifdef SPIKEDAQ_WITHOUT_WAVEFORM
template <typename Real>
StimulusSample<Real> Stimulus<Real>::Step(Real strength_percent, uint32_t period_steps) {
  StimulusSample<Real> out = {};
  StepSquare(strength_percent, period_steps, &out);
  out.loop = loops_ - 1;
  return out;
}
#else
template <typename Real>
StimulusSample<Real> Stimulus<Real>::Step(Real strength_percent, uint32_t period_steps) {
  StimulusSample<Real> out = {Real(0), false, false, 0, ended_, ended_ ? ended_loops_ : 0};
  ended_ = false;
  if (mode_ == Mode::kWaveform && position_ == n_rows_) {
    if (repeat_) {
      position_ = 0;
    } else {
      LeaveWaveform(Mode::kSilence);
      out.waveform_ended = true;
      out.loops_played = ended_loops_;
      ended_ = false;
    }
  }
  switch (mode_) {
    case Mode::kSquare:
      StepSquare(strength_percent, period_steps, &out);
      break;
    case Mode::kWaveform:
      StepWaveform(&out);
      break;
    case Mode::kSilence:
      out.from_waveform = true;
      break;
  }
  out.loop = loops_ == 0 ? 0 : loops_ - 1;
  return out;
}
#endif

template <typename Real>
void Stimulus<Real>::StepSquare(Real strength_percent, uint32_t period_steps, StimulusSample<Real>* out) {
  if (position_ >= period_) {
    period_ = period_steps < kMinStimulusPeriod ? kMinStimulusPeriod : period_steps;
    position_ = 0;
  }
  out->trigger = position_ == 0;
  if (out->trigger) ++loops_;
  const bool active = strength_percent >= Real(5) || strength_percent <= Real(-5);
  if (active && position_ < period_ / 2) out->percent = strength_percent;
  ++position_;
}

#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
template <typename Real>
void Stimulus<Real>::StepWaveform(StimulusSample<Real>* out) {
  out->from_waveform = true;
  out->trigger = position_ == 0;
  if (out->trigger) {
    ++loops_;
    ++waveform_loops_;
  }
  out->percent = static_cast<Real>(rows_[position_]) / Real(100);
  ++position_;
}

template <typename Real>
void Stimulus<Real>::SetWaveform(const int16_t* rows_centipercent, uint32_t n_rows) {
  if (mode_ == Mode::kWaveform) StopWaveform();
  rows_ = rows_centipercent;
  n_rows_ = rows_centipercent == nullptr ? 0 : n_rows;
}

template <typename Real>
bool Stimulus<Real>::PlayWaveform(bool loop) {
  if (n_rows_ == 0) return false;
  if (mode_ == Mode::kWaveform) LeaveWaveform(Mode::kWaveform);
  mode_ = Mode::kWaveform;
  repeat_ = loop;
  position_ = 0;
  waveform_loops_ = 0;
  return true;
}

template <typename Real>
void Stimulus<Real>::StopWaveform() {
  if (mode_ == Mode::kSquare) return;
  if (mode_ == Mode::kWaveform) LeaveWaveform(Mode::kSquare);
  mode_ = Mode::kSquare;
  period_ = 0;
  position_ = 0;
}

template <typename Real>
void Stimulus<Real>::LeaveWaveform(Mode next) {
  mode_ = next;
  // A waveform that was stopped before its first step did not play, so nothing ended.
  if (waveform_loops_ == 0) return;
  ended_ = true;
  ended_loops_ = waveform_loops_;
}
#endif

template class Stimulus<float>;
template class Stimulus<double>;

}  // namespace spikedaq
