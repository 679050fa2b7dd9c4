#include "neuron/voltage_clamp.h"

namespace spikedaq {

namespace {

constexpr uint8_t kPeakSteps = 3;

}  // namespace

template <typename Real>
Real VoltageClamp<Real>::Control(Real v_command, Real v, Real kp, Real ki, Real i_min, Real i_max) {
  const Real error = v_command - v;
  const Real wanted = kp * error + ki * integral_;
  const bool winds_up = (wanted > i_max && error > Real(0)) || (wanted < i_min && error < Real(0));
  if (!(ki > Real(0))) {
    // A sum that nothing bounds would leap to the output on the step on which ki is set.
    integral_ = Real(0);
  } else if (!winds_up) {
    integral_ = integral_ + error * Real(0.1);
  }
  return Clamp(wanted, i_min, i_max);
}

template <typename Real>
bool VoltageClamp<Real>::Guard(Real v_command, Real b, Membrane<Real>* m) {
  const Real v_zero = m->v - m->v;
  const Real u_zero = m->u - m->u;
  const bool finite = v_zero == Real(0) && u_zero == Real(0);
  const bool peak = m->v >= Real(kClampHighest);
  at_peak_ = finite && peak ? static_cast<uint8_t>(at_peak_ + 1) : uint8_t(0);
  if (!finite || at_peak_ >= kPeakSteps) {
    m->v = v_command;
    m->u = b * v_command;
    Reset();
    return true;
  }
  m->v = Clamp(m->v, Real(kClampLowest), Real(kClampHighest));
  return false;
}

template class VoltageClamp<float>;
template class VoltageClamp<double>;

}  // namespace spikedaq
