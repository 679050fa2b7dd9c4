// The voltage clamp: its controller alone, and the neuron in it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "neuron/neuron.h"

using spikedaq::CommandStep;
using spikedaq::HoldOfKnob;
using spikedaq::Inputs;
using spikedaq::kChannelCount;
using spikedaq::Membrane;
using spikedaq::Neuron;
using spikedaq::PatchCurrent;
using spikedaq::Sample;
using spikedaq::VoltageClamp;

namespace {

uint32_t Bits(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

void Hash(float x, uint64_t* digest) {
  const uint32_t bits = Bits(x);
  for (int k = 0; k < 4; ++k) *digest = (*digest ^ (bits >> (8 * k) & 0xFF)) * 0x100000001B3u;
}

template <typename Real>
Neuron<Real> Held(uint8_t preset, Real hold) {
  Neuron<Real> neuron(1);
  neuron.SetPreset(preset);
  neuron.SetVoltageClamp(true, false);
  neuron.SetHold(hold);
  return neuron;
}

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("clamp: twelve steps with cut outputs and a rescue give the bits of numpy (clamp_trace.py)") {
  // Command, output, v and u: six steps to -20 mV, six to -90 mV with the output cut at -50.
  const uint32_t expected[12][4] = {
      {0xC1A00000, 0x43960000, 0xC2200000, 0xC15FCED9},  // -20 mV, 300 a.u., -40 mV
      {0xC1A00000, 0x43160000, 0xC1B99C0E, 0xC15F8245},  // -20 mV, 150 a.u., -23.2012 mV
      {0xC1A00000, 0x41C1AC03, 0xC16D4AE7, 0xC15F2822},  // -20 mV, 24.20899 a.u., -14.83079 mV
      {0xC1A00000, 0xC21A25FA, 0xC11D34A2, 0xC15EC5F9},  // -20 mV, -38.53709 a.u., -9.82535 mV
      {0xC1A00000, 0xC2984255, 0xC0D251E4, 0xC15E5EAE},  // -20 mV, -76.12955 a.u., -6.572496 mV
      {0xC1A00000, 0xC2C94162, 0xC08B7C34, 0xC15DF3F8},  // -20 mV, -100.6277 a.u., -4.358912 mV
      {0xC2B40000, 0xC2480000, 0x407B3094, 0xC15D7BE6},  // -90 mV, -50 a.u., 3.92484 mV
      {0xC2B40000, 0xC2480000, 0x4182AA4C, 0xC15CEFBD},  // -90 mV, -50 a.u., 16.33315 mV
      {0xC2B40000, 0xC2480000, 0x41F00000, 0xC15C43B9},  // -90 mV, -50 a.u., 30 mV
      {0xC2B40000, 0xC2480000, 0x41F00000, 0xC15B7252},  // -90 mV, -50 a.u., 30 mV
      {0xC2B40000, 0xC2480000, 0xC2B40000, 0xC1900000},  // -90 mV, -50 a.u., -90 mV
      {0xC2B40000, 0x00000000, 0xC2AD999A, 0xC18FFD61},  // -90 mV, 0 a.u., -86.8 mV
  };
  Neuron<float> neuron = Held<float>(0, -20);
  for (int step = 0; step < 12; ++step) {
    CAPTURE(step);
    // Written past SetHold: the controller goes on with what it has summed up.
    neuron.parameters().v_hold = step < 6 ? -20.0f : -90.0f;
    neuron.parameters().vc_i_min = step < 6 ? -200.0f : -50.0f;
    const Sample<float> s = neuron.Step({});
    CHECK(Bits(s.v_command) == expected[step][0]);
    CHECK(Bits(s.clamp_out) == expected[step][1]);
    CHECK(Bits(s.v) == expected[step][2]);
    CHECK(Bits(neuron.membrane().u) == expected[step][3]);
  }
}

TEST_CASE("clamp: 40,000 steps through every preset, potential and set of gains give the bits of numpy") {
  const float holds[8] = {-110, -80, -62.5f, -40, -20, 0, 10, 30};
  Neuron<float> neuron(1);
  neuron.SetVoltageClamp(true, false);
  uint64_t digest = 0xCBF29CE484222325u;
  for (int step = 0; step < 40000; ++step) {
    if (step % 1000 == 0) neuron.SetPreset(static_cast<uint8_t>(step / 1000 % 20));
    neuron.SetHold(holds[step / 125 % 8]);
    neuron.parameters().vc_kp = step / 4000 % 2 == 1 ? 3.25f : 7.5f;
    neuron.parameters().vc_ki = step / 8000 % 2 == 1 ? 0.4f : 0.1f;
    Inputs<float> inputs;
    inputs.current_in = step / 50 % 2 == 1 ? static_cast<float>(step % 50 - 25) * 0.5f : 0.0f;
    const Sample<float> s = neuron.Step(inputs);
    Hash(s.v, &digest);
    Hash(neuron.membrane().u, &digest);
    Hash(s.v_command, &digest);
    Hash(s.clamp_out, &digest);
  }
  CHECK(digest == 0x8774D018F0027B36u);
}

TEST_CASE_TEMPLATE("clamp: the first outputs are those worked out by hand", Real, float, double) {
  VoltageClamp<Real> clamp;
  // 7.5 x 10; then 7.5 x 10 + 0.1 x (10 x 0.1); then with the error turned: -7.5 x 2 + 0.1 x 2.
  CHECK(clamp.Control(-60, -70, Real(7.5), Real(0.1), -200, 300) == Real(75));
  CHECK(double(clamp.Control(-60, -70, Real(7.5), Real(0.1), -200, 300)) == doctest::Approx(75.1).epsilon(1e-6));
  CHECK(double(clamp.Control(-60, -58, Real(7.5), Real(0.1), -200, 300)) == doctest::Approx(-14.8).epsilon(1e-6));
  clamp.Reset();
  CHECK(clamp.Control(-60, -70, Real(7.5), Real(0.1), -200, 300) == Real(75));
}

TEST_CASE("clamp: nothing is summed up while the output is cut, and it leaves the limit as soon as the error turns") {
  for (const double sign : {1.0, -1.0}) {
    CAPTURE(sign);
    VoltageClamp<double> clamp;
    const double low = sign > 0 ? -200 : -300, high = sign > 0 ? 300 : 200;
    for (int step = 0; step < 100000; ++step) {
      CHECK(clamp.Control(sign * 50, sign * -50, 7.5, 0.1, low, high) == sign * 300);
    }
    // 7.5 x -1 + 0.1 x 0: what was cut has left nothing.
    CHECK(clamp.Control(0, sign, 7.5, 0.1, low, high) == sign * -7.5);
  }
}

TEST_CASE("clamp: a sum that holds the output at its limit unwinds while the error does") {
  VoltageClamp<double> clamp;
  // Sums up 10 x 0.1 a step: after 900 steps 0.1 x 900 + 7.5 x 10 = 165.
  for (int step = 0; step < 900; ++step) clamp.Control(0, -10, 7.5, 0.1, -200, 300);
  // The limit is lowered to 50: 90 - 7.5 is cut, and the error of -1 takes 0.1 off the sum at each step. After 325
  // steps the sum is 867.5, and 86.75 - 36.75 = 50.
  CHECK(clamp.Control(0, 1, 7.5, 0.1, -200, 50) == 50);
  double out = 50;
  int steps = 1;
  for (; out == 50 && steps < 10000; ++steps) out = clamp.Control(0, 1, 7.5, 0.1, -200, 50);
  // (900 - 0.1 n) x 0.1 - 7.5 < 50 for n > 3250.
  CHECK(steps > 3240);
  CHECK(steps < 3260);
}

TEST_CASE("clamp: without ki nothing is summed up, so setting it makes no leap") {
  VoltageClamp<double> clamp;
  for (int step = 0; step < 100000; ++step) CHECK(clamp.Control(-60, -70, 7.5, 0, -200, 300) == 75);
  CHECK(clamp.Control(-60, -70, 7.5, 0.1, -200, 300) == 75);
  CHECK(clamp.Control(-60, -70, 7.5, 0.1, -200, 300) == doctest::Approx(75.1).epsilon(1e-12));
  CHECK(clamp.Control(-60, -70, 7.5, 0, -200, 300) == 75);
  CHECK(clamp.Control(-60, -70, 7.5, 0.1, -200, 300) == 75);
}

TEST_CASE_TEMPLATE("clamp: a membrane that is no number is put to the command and the sum forgotten", Real, float,
                   double) {
  const Membrane<Real> bad[] = {{Real(kNan), 0},         {Real(kInfinity), 0},   {Real(-kInfinity), 0},
                                {-60, Real(kNan)},       {-60, Real(kInfinity)}, {-60, Real(-kInfinity)},
                                {Real(kNan), Real(kNan)}};
  for (const Membrane<Real>& m : bad) {
    VoltageClamp<Real> clamp;
    for (int step = 0; step < 10; ++step) clamp.Control(-60, -70, Real(7.5), Real(0.1), -200, 300);
    Membrane<Real> membrane = m;
    CHECK(clamp.Guard(-45, Real(0.2), &membrane));
    CHECK(membrane.v == Real(-45));
    CHECK(membrane.u == Real(0.2) * Real(-45));
    CHECK(clamp.Control(-60, -70, Real(7.5), Real(0.1), -200, 300) == Real(75));
  }
}

TEST_CASE("clamp: the third step in a row at 30 puts the membrane to the command, two do not") {
  VoltageClamp<double> clamp;
  Membrane<double> m = {31, 5};
  CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
  CHECK(m.v == 30);
  CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
  m.v = 29.9;
  CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
  CHECK(m.v == 29.9);
  for (int step = 0; step < 2; ++step) {
    m.v = 30;
    CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
    CHECK(m.v == 30);
  }
  CHECK(clamp.Guard(-45, 0.2, &m));
  CHECK(m.v == -45);
  CHECK(m.u == -9);
  // And it counts from 0 again.
  m.v = 40;
  CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
  m.v = -200;
  CHECK_FALSE(clamp.Guard(-45, 0.2, &m));
  CHECK(m.v == -110);
}

TEST_CASE("clamp: every preset is held from -110 to -28 mV, by the current that its equation asks for") {
  for (uint8_t preset = 0; preset < spikedaq::kPresetCount; ++preset) {
    for (const double hold : {-110.0, -90.0, -70.0, -50.0, -30.0, -28.0}) {
      CAPTURE(int(preset));
      CAPTURE(hold);
      Neuron<double> neuron = Held<double>(preset, hold);
      Sample<double> s = {};
      for (int step = 0; step < 25000; ++step) {
        s = neuron.Step({});
        if (s.spike || s.axon_level || s.v > 30 || s.v < -110) CHECK(false);
      }
      CHECK(std::fabs(s.v - hold) < 2e-3);
      CHECK(s.vm == s.v);
      // At rest v and u do not move: I = u - 0.04 v^2 - 5 v - 140 with u = b v.
      const double needed = neuron.parameters().b * hold - 0.04 * hold * hold - 5 * hold - 140;
      // Preset 19 lies at the lower bound by itself, and asks for less than holds it there.
      if (preset != 19 || hold > -110) CHECK(std::fabs(s.clamp_out - needed) < 0.05);
    }
  }
}

TEST_CASE("clamp: with stronger gains and wider limits it holds -10 mV, too") {
  for (uint8_t preset = 0; preset < spikedaq::kPresetCount; ++preset) {
    CAPTURE(int(preset));
    Neuron<double> neuron = Held<double>(preset, -10.0);
    neuron.parameters().vc_kp = 9.5;
    neuron.parameters().vc_i_min = -1000;
    neuron.parameters().vc_i_max = 1000;
    double v = 0;
    for (int step = 0; step < 25000; ++step) v = neuron.Step({}).v;
    CHECK(std::fabs(v + 10) < 2e-3);
  }
}

TEST_CASE("clamp: where the limits do not let it hold, it is bounded and finite all the same") {
  for (uint8_t preset = 0; preset < spikedaq::kPresetCount; ++preset) {
    for (const double hold : {0.0, 30.0}) {
      Neuron<float> neuron = Held<float>(preset, static_cast<float>(hold));
      bool fine = true;
      int at_peak = 0;
      for (int step = 0; step < 20000; ++step) {
        const Sample<float> s = neuron.Step({});
        at_peak = s.v >= 30 ? at_peak + 1 : 0;
        fine = fine && std::isfinite(s.v) && s.v >= -110 && s.v <= 30 && s.clamp_out >= -200 && s.clamp_out <= 300;
        fine = fine && !s.spike && !s.axon_level && (at_peak < 3 || hold == 30);
      }
      CAPTURE(int(preset));
      CHECK(fine);
    }
  }
}

TEST_CASE("clamp: entering holds the membrane where it is, with the controller at 0") {
  Neuron<double> neuron(1);
  neuron.parameters().i_clamp = 20;
  for (int step = 0; step < 777; ++step) neuron.Step({});
  const double v = neuron.membrane().v;
  neuron.SetVoltageClamp(true, true);
  CHECK(neuron.parameters().v_hold == v);
  const Sample<double> s = neuron.Step({});
  CHECK(s.voltage_clamp);
  CHECK(s.v_command == v);
  CHECK(s.clamp_out == 0);
  // The injected current is not injected now.
  CHECK(s.i_total == 0);
  for (int step = 0; step < 5000; ++step) neuron.Step({});
  CHECK(neuron.membrane().v == doctest::Approx(v).epsilon(1e-3));
  neuron.SetVoltageClamp(true, true);  // it is there already
  CHECK(neuron.parameters().v_hold == v);
  CHECK(neuron.Step({}).clamp_out != 0);

  // Beyond the bounds of a command.
  Neuron<double> high(1);
  high.SetCustom(0.02, 0.2, -65, 6, 40);
  high.SetVoltageClamp(true, true);
  CHECK(high.parameters().v_hold == 30);
  Neuron<double> host(1);
  host.SetHold(-40);
  host.SetVoltageClamp(true, false);
  CHECK(host.parameters().v_hold == -40);
}

TEST_CASE("clamp: a new holding potential starts the controller anew, one within 0.05 mV does not") {
  Neuron<double> neuron = Held<double>(0, -40.0);
  for (int step = 0; step < 3000; ++step) neuron.Step({});
  const double before = neuron.Step({}).clamp_out;
  CHECK(before == doctest::Approx(-12).epsilon(0.01));
  neuron.SetHold(-40.04);
  CHECK(neuron.Step({}).clamp_out == doctest::Approx(before).epsilon(0.05));
  const double error = -40.2 - neuron.membrane().v;
  neuron.SetHold(-40.2);
  CHECK(neuron.Step({}).clamp_out == 7.5 * error);
  neuron.SetHold(kNan);
  CHECK(neuron.parameters().v_hold == -110);
  neuron.SetHold(99);
  CHECK(neuron.parameters().v_hold == 30);
}

TEST_CASE("clamp: a preset, custom numbers and a reset put the neuron to rest and start the controller anew") {
  for (int way = 0; way < 3; ++way) {
    CAPTURE(way);
    Neuron<double> neuron = Held<double>(0, -40.0);
    for (int step = 0; step < 3000; ++step) neuron.Step({});
    if (way == 0) neuron.SetPreset(1);
    if (way == 1) neuron.SetCustom(0.03, 0.25, -60, 4, -64);
    if (way == 2) neuron.Reset();
    CHECK(neuron.parameters().voltage_clamp);
    CHECK(neuron.parameters().v_hold == -40);
    const double rest = neuron.parameters().v_rest;
    CHECK(neuron.membrane().v == rest);
    CHECK(neuron.Step({}).clamp_out == 7.5 * (-40 - rest));
  }
  Neuron<double> all = Held<double>(0, -40.0);
  all.ResetParameters();
  CHECK_FALSE(all.parameters().voltage_clamp);
  CHECK(all.parameters().v_hold == -70);
}

TEST_CASE("clamp: no spike and no axon in it, and the spike that it cut short is not told afterwards") {
  Neuron<double> neuron = Held<double>(0, -25.0);
  for (int step = 0; step < 5000; ++step) {
    const Sample<double> s = neuron.Step({});
    CHECK_FALSE(s.spike);
    CHECK_FALSE(s.axon_level);
  }
  CHECK(neuron.membrane().v > -30);
  // Back in current clamp v is above the threshold: the axon is high at once, and the crossing was not here.
  neuron.SetVoltageClamp(false, false);
  Sample<double> s = neuron.Step({});
  CHECK(s.v >= -30);
  CHECK(s.vm == 30);
  CHECK(s.axon_level);
  CHECK_FALSE(s.spike);
  CHECK_FALSE(s.voltage_clamp);
  CHECK(s.v_command == 0);
  neuron.parameters().i_clamp = 20;
  int spikes = 0;
  for (int step = 0; step < 1000; ++step) spikes += neuron.Step({}).spike ? 1 : 0;
  CHECK(spikes > 2);
}

TEST_CASE("clamp: current clamp before and after it is that of a neuron which never left it") {
  Neuron<float> one(9), other(9);
  for (Neuron<float>* neuron : {&one, &other}) {
    neuron->parameters().i_clamp = 15;
    neuron->parameters().noise_sd = 2;
    neuron->parameters().stim_strength = 30;
  }
  one.parameters().vc_kp = 3;  // nothing of the clamp acts before it is on
  one.SetHold(-20);
  bool same = true;
  for (int step = 0; step < 3000; ++step) same = same && Bits(one.Step({}).v) == Bits(other.Step({}).v);
  CHECK(same);
  one.SetVoltageClamp(true, true);
  int differ = 0;
  for (int step = 0; step < 500; ++step) {
    const Sample<float> a = one.Step({}), b = other.Step({});
    differ += Bits(a.v) != Bits(b.v) ? 1 : 0;
    // Noise and stimulus go on in step.
    same = same && Bits(a.noise_i) == Bits(b.noise_i) && a.stimulus == b.stimulus && a.trigger == b.trigger;
  }
  CHECK(differ > 400);
  one.SetVoltageClamp(false, false);
  one.Reset();
  other.Reset();
  for (int step = 0; step < 3000; ++step) {
    const Sample<float> a = one.Step({}), b = other.Step({});
    same = same && Bits(a.v) == Bits(b.v) && Bits(a.i_total) == Bits(b.i_total) && a.spike == b.spike;
  }
  CHECK(same);
}

TEST_CASE("clamp: noise, light and synapses add to the output, the current-in jack shifts the command") {
  Neuron<double> neuron = Held<double>(0, -60.0);
  neuron.parameters().i_clamp = 500;
  neuron.parameters().syn1_gain = 2;
  neuron.parameters().syn2_gain = 3;
  neuron.parameters().photo_gain = 0.5;
  neuron.parameters().noise_sd = 1;
  Inputs<double> inputs;
  inputs.current_in = 20.47;
  inputs.photodiode_drive = 4;
  inputs.syn1_level = inputs.syn2_level = true;
  const Sample<double> s = neuron.Step(inputs);
  CHECK(s.v_command == doctest::Approx(-53).epsilon(1e-14));
  CHECK(s.clamp_out == doctest::Approx(7.5 * 17).epsilon(1e-14));
  CHECK(s.i_total == doctest::Approx(s.clamp_out + 2 + 2 * 0.995 + 3 * 0.990 + s.noise_i).epsilon(1e-14));
  CHECK(s.v == doctest::Approx(-70 + 0.1 * s.i_total).epsilon(1e-14));
  inputs.current_in = 1e9;
  CHECK(neuron.Step(inputs).v_command == 10);
  inputs.current_in = -1e9;
  CHECK(neuron.Step(inputs).v_command == -110);
  inputs.current_in = kNan;
  CHECK(neuron.Step(inputs).v_command == -60);
}

TEST_CASE("clamp: numbers that are none do not outlive their cause") {
  for (const double poison : {kNan, kInfinity, -kInfinity}) {
    CAPTURE(poison);
    Neuron<double> neuron = Held<double>(0, -60.0);
    neuron.parameters().photo_gain = 1;
    Inputs<double> inputs;
    inputs.photodiode_drive = poison;
    const Sample<double> s = neuron.Step(inputs);
    CHECK(s.v == -60);
    for (int step = 0; step < 30000; ++step) neuron.Step({});
    CHECK(neuron.membrane().v == doctest::Approx(-60).epsilon(1e-4));
  }
}

TEST_CASE("clamp: the command step of the jack is 70 mV for 2047 counts") {
  CHECK(CommandStep(0.0) == 0);
  CHECK(CommandStep(204.7) == doctest::Approx(70));
  CHECK(CommandStep(-102.35) == doctest::Approx(-35));
  CHECK(CommandStep(300.0) == 70);
  CHECK(CommandStep(-kInfinity) == -70);
  CHECK(CommandStep(kNan) == 0);
}

TEST_CASE("clamp: the knob holds at v_rest in its dead zone, and one span off at its ends") {
  CHECK(HoldOfKnob(PatchCurrent(2048.0), -70.0, 70.0) == -70);
  CHECK(HoldOfKnob(PatchCurrent(2048.0 + 272), -64.0, 70.0) == -64);
  CHECK(HoldOfKnob(PatchCurrent(0.0), -30.0, 70.0) == doctest::Approx(-100));
  CHECK(HoldOfKnob(PatchCurrent(4095.0), -70.0, 70.0) == doctest::Approx(-70 + 70 * 1774.0 / 1775));
  CHECK(HoldOfKnob(PatchCurrent(2048.0 + 273 + 355), -70.0, 50.0) == doctest::Approx(-60));
  CHECK(HoldOfKnob(PatchCurrent(0.0), -70.0, 70.0) == -110);
  CHECK(HoldOfKnob(PatchCurrent(4095.0), -10.0, 70.0) == 30);
}

TEST_CASE("clamp: channels 1 and 2 are command and output in 0.01, and only what is sent counts as cut") {
  Sample<double> s = {};
  s.vm = -20.5;
  s.stimulus = 60;
  s.i_total = 400;
  s.voltage_clamp = true;
  s.v_command = -40.126;
  s.clamp_out = 300;
  int16_t raw[kChannelCount] = {};
  bool cut = false;
  spikedaq::ToRaw(s, raw, &cut);
  CHECK(raw[0] == -2050);
  CHECK(raw[1] == -4013);
  CHECK(raw[2] == 30000);
  CHECK_FALSE(cut);
  s.clamp_out = -328;
  spikedaq::ToRaw(s, raw, &cut);
  CHECK(raw[2] == -32767);
  CHECK(cut);
  s.voltage_clamp = false;
  spikedaq::ToRaw(s, raw, &cut);
  CHECK(raw[1] == 60);
  CHECK(raw[2] == 32767);
}
