/// One Euler step of the Izhikevich model, alone.
#ifndef SPIKEDAQ_NEURON_IZHIKEVICH_H_
#define SPIKEDAQ_NEURON_IZHIKEVICH_H_

#include "neuron/bits.h"

namespace spikedaq {

/// State of the model: membrane potential in mV, and recovery.
template <typename Real>
struct Membrane {
  Real v;
  Real u;
};

/// Advances v and u by 0.1 ms of model time (Izhikevich 2003, forward Euler, u after v, as every stock firmware does),
/// with no reset and no bounds.
///
/// The order of the operations is part of the contract: with -ffp-contract=off it gives the same bits on every target.
template <typename Real>
inline void Advance(Real a, Real b, Real current, Membrane<Real>* m) {
  const Real h = Real(0.1);
  m->v = m->v + h * (Real(0.04) * m->v * m->v + Real(5) * m->v + Real(140) - m->u + current);
  m->u = m->u + h * a * (b * m->v - m->u);
}

/// Advances the model by one step: `Advance`, and the reset at the peak.
///
/// The potential is kept at -110 mV or above, as in stock; a state that is no number any more starts again from there.
template <typename Real>
inline void EulerStep(Real a, Real b, Real c, Real d, Real current, Membrane<Real>* m) {
  Advance(a, b, current, m);
  if (m->v >= Real(30)) {
    m->v = c;
    m->u = m->u + d;
  }
  if (!(m->v > Real(-110))) m->v = Real(-110);
  if (!IsFinite(m->u)) m->u = b * m->v;
}

/// The step of the stock v2.4 firmware and of the stock emulator, which set v to 30 where it is 0 or more, so that the
/// next step resets it. Only for comparing with their recordings; no board uses it.
template <typename Real>
inline void EulerStepStock24(Real a, Real b, Real c, Real d, Real current, Membrane<Real>* m) {
  EulerStep(a, b, c, d, current, m);
  if (m->v >= Real(0)) m->v = Real(30);
}

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_IZHIKEVICH_H_
