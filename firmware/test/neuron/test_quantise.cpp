// Rounding and saturation of the wire's values.
#include <doctest/doctest.h>

#include <limits>

#include "neuron/neuron.h"

using spikedaq::Quantise;
using spikedaq::RoundHalfAway;

namespace {

template <typename Real>
int Quantised(Real value, Real inverse, bool* cut) {
  *cut = false;
  return Quantise(value, inverse, cut);
}

}  // namespace

TEST_CASE_TEMPLATE("quantise: halves go away from zero, and just below a half does not", Real, float, double) {
  bool cut = false;
  CHECK(Quantised(Real(0.5), Real(1), &cut) == 1);
  CHECK(Quantised(Real(-0.5), Real(1), &cut) == -1);
  CHECK(Quantised(Real(1.5), Real(1), &cut) == 2);
  CHECK(Quantised(Real(2.5), Real(1), &cut) == 3);
  CHECK(Quantised(Real(-2.5), Real(1), &cut) == -3);
  CHECK(Quantised(Real(0.25), Real(2), &cut) == 1);
  // The largest number below a half: adding a half to it rounds to 1.
  const Real below = Real(0.5) - std::numeric_limits<Real>::epsilon() / 4;
  CHECK(below < Real(0.5));
  CHECK(Quantised(below, Real(1), &cut) == 0);
  CHECK(Quantised(-below, Real(1), &cut) == 0);
  CHECK(Quantised(Real(30), Real(100), &cut) == 3000);
  CHECK(Quantised(Real(-110), Real(100), &cut) == -11000);
  CHECK(Quantised(Real(-0.0), Real(100), &cut) == 0);
  CHECK(cut == false);
}

TEST_CASE_TEMPLATE("quantise: saturates at 32767 on both sides and says so", Real, float, double) {
  bool cut = false;
  CHECK(Quantised(Real(327.67), Real(100), &cut) == 32767);
  CHECK_FALSE(cut);
  CHECK(Quantised(Real(-327.67), Real(100), &cut) == -32767);
  CHECK_FALSE(cut);
  CHECK(Quantised(Real(327.68), Real(100), &cut) == 32767);
  CHECK(cut);
  CHECK(Quantised(Real(-327.68), Real(100), &cut) == -32767);
  CHECK(cut);
  CHECK(Quantised(Real(32767.25), Real(1), &cut) == 32767);
  CHECK_FALSE(cut);
  CHECK(Quantised(Real(32767.5), Real(1), &cut) == 32767);
  CHECK(cut);
  CHECK(Quantised(Real(-32767.5), Real(1), &cut) == -32767);
  CHECK(cut);
  CHECK(Quantised(Real(-32768), Real(1), &cut) == -32767);
  CHECK(cut);
  CHECK(Quantised(Real(65536), Real(1), &cut) == 32767);
  CHECK(cut);
  CHECK(Quantised(std::numeric_limits<Real>::max(), Real(100), &cut) == 32767);
  CHECK(cut);
  CHECK(Quantised(std::numeric_limits<Real>::infinity(), Real(100), &cut) == 32767);
  CHECK(cut);
  CHECK(Quantised(-std::numeric_limits<Real>::infinity(), Real(100), &cut) == -32767);
  CHECK(cut);
}

TEST_CASE_TEMPLATE("quantise: a NaN is 0 and not saturated, and the flag is never cleared", Real, float, double) {
  bool cut = false;
  CHECK(Quantised(std::numeric_limits<Real>::quiet_NaN(), Real(100), &cut) == 0);
  CHECK_FALSE(cut);
  CHECK(Quantised(std::numeric_limits<Real>::infinity(), Real(0), &cut) == 0);
  CHECK_FALSE(cut);
  cut = true;
  CHECK(Quantise(Real(1), Real(1), &cut) == 1);
  CHECK(cut);
}

TEST_CASE("quantise: every int16 but -32768 comes back, in float too") {
  for (int raw = -32767; raw <= 32767; ++raw) {
    bool cut = false;
    const float value = static_cast<float>(raw) / 100.0f;
    if (Quantise(value, 100.0f, &cut) != raw || cut) {
      CAPTURE(raw);
      CHECK(Quantise(value, 100.0f, &cut) == raw);
      CHECK_FALSE(cut);
    }
  }
}

TEST_CASE("quantise: raw values are in the order and the units of the protocol") {
  spikedaq::Sample<double> s = {};
  s.vm = -70.126;
  s.stimulus = -50.5;
  s.i_total = 12.345;
  s.syn1_vm = -110;
  s.syn1_i = 0.1;
  s.syn2_vm = 100;
  s.syn2_i = -0.2;
  s.trigger = true;
  int16_t raw[8] = {};
  bool cut = false;
  spikedaq::ToRaw(s, raw, &cut);
  CHECK(raw[0] == -7013);
  CHECK(raw[1] == -51);
  CHECK((raw[2] == 1235 || raw[2] == 1234));  // 12.345 has no exact double.
  CHECK(raw[3] == -11000);
  CHECK(raw[4] == 10);
  CHECK(raw[5] == 10000);
  CHECK(raw[6] == -20);
  CHECK(raw[7] == 1);
  CHECK_FALSE(cut);
  s.syn2_i = -400;
  s.trigger = false;
  spikedaq::ToRaw(s, raw, &cut);
  CHECK(raw[6] == -32767);
  CHECK(raw[7] == 0);
  CHECK(cut);
}

TEST_CASE("quantise: rounding to whole numbers") {
  CHECK(RoundHalfAway(99.94) == 100);
  CHECK(RoundHalfAway(-99.5) == -100);
  CHECK(RoundHalfAway(0.0) == 0);
}
