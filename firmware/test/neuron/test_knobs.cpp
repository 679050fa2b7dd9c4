// The maps and filters of knobs and jacks, at literal counts.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>

#include "neuron/jacks.h"
#include "neuron/knobs.h"

using namespace spikedaq;

TEST_CASE("knobs: the dead zone is cut out, without a step at its edges") {
  CHECK(CutDeadZone(0.0) == 0);
  CHECK(CutDeadZone(272.0) == 0);
  CHECK(CutDeadZone(273.0) == 0);
  CHECK(CutDeadZone(274.0) == 1);
  CHECK(CutDeadZone(-272.0) == 0);
  CHECK(CutDeadZone(-273.0) == 0);
  CHECK(CutDeadZone(-274.0) == -1);
  CHECK(CutDeadZone(std::nan("")) == 0);
}

TEST_CASE("knobs: ranges of the bipolar knobs") {
  CHECK(PatchCurrent(0.0) == doctest::Approx(-86.6911).epsilon(1e-5));
  CHECK(PatchCurrent(4095.0) == doctest::Approx(86.6422).epsilon(1e-5));
  CHECK(PhotoGain(0.0) == doctest::Approx(-10.8364).epsilon(1e-5));
  CHECK(PhotoGain(4095.0) == doctest::Approx(10.8303).epsilon(1e-5));
  CHECK(SynapseGain(0.0) == doctest::Approx(-21.6728).epsilon(1e-5));
  CHECK(SynapseGain(4095.0) == doctest::Approx(21.6606).epsilon(1e-5));
  for (double rest : {1775.0, 2048.0, 2321.0}) {
    CHECK(PatchCurrent(rest) == 0);
    CHECK(PhotoGain(rest) == 0);
    CHECK(SynapseGain(rest) == 0);
    CHECK(StimulusStrength(rest) == 0);
    CHECK(StimulusPeriod(rest) == 510);
  }
  CHECK(PatchCurrent(2322.0) == doctest::Approx(200.0 / 4095).epsilon(1e-12));
  CHECK(PatchCurrent(1774.0) == doctest::Approx(-200.0 / 4095).epsilon(1e-12));
}

TEST_CASE("knobs: noise from nothing to 11.67") {
  CHECK(NoiseSd(0.0) == 0);
  CHECK(NoiseSd(273.0) == 0);
  CHECK(NoiseSd(274.0) == doctest::Approx(25.0 / 4095 / 2).epsilon(1e-12));
  CHECK(NoiseSd(4095.0) == doctest::Approx(11.6667).epsilon(1e-5));
}

TEST_CASE("knobs: strength is whole percent and period a multiple of five steps, both within their ranges") {
  CHECK(StimulusStrength(0.0) == -100);
  CHECK(StimulusStrength(4095.0) == 100);
  CHECK(StimulusStrength(3208.0) == 50);
  CHECK(StimulusStrength(2329.0) == 0);
  CHECK(StimulusStrength(2330.0) == 1);
  CHECK(StimulusPeriod(0.0) == 1010);
  CHECK(StimulusPeriod(4095.0) == 10);
  CHECK(StimulusPeriod(3209.0) == 260);
  for (int raw = 0; raw <= 4095; ++raw) {
    const double strength = StimulusStrength(double(raw));
    const uint32_t period = StimulusPeriod(double(raw));
    if (strength != std::floor(strength) || std::fabs(strength) > 100 || period < 10 || period > 1010 || period % 5) {
      CAPTURE(raw);
      FAIL_CHECK("out of range");
    }
  }
}

TEST_CASE("knobs: the filter passes the first count, drops a single bad one, and settles on a turn") {
  KnobFilter<double> knob;
  CHECK(knob.Update(1000) == 1000);
  CHECK(knob.Update(4095) == 1000);
  CHECK(knob.Update(1000) == 1000);
  CHECK(knob.Update(0) == 1000);
  CHECK(knob.Update(1000) == 1000);
  CHECK(knob.Update(1000) == 1000);
  // A step of 1000: the median lets it through at the second count, then a fifth of what is left each time.
  CHECK(knob.Update(2000) == 1000);
  CHECK(knob.Update(2000) == doctest::Approx(1200));
  CHECK(knob.Update(2000) == doctest::Approx(1360));
  for (int i = 0; i < 200; ++i) knob.Update(2000);
  CHECK(std::fabs(knob.value() - 2000) < kKnobDeadband);
  const double settled = knob.value();
  for (uint16_t bad : {uint16_t(0), uint16_t(2000), uint16_t(4095)}) CHECK(knob.Update(bad) == settled);
}

TEST_CASE("knobs: a jittering knob gives one number, a creeping one follows in jumps of the deadband") {
  KnobFilter<double> knob;
  knob.Update(2000);
  for (int i = 0; i < 1000; ++i) CHECK(knob.Update(static_cast<uint16_t>(2000 + (i * 7919) % 11 - 5)) == 2000);

  KnobFilter<double> fine(kNoiseKnobDeadband), coarse;
  int fine_changes = 0, coarse_changes = 0;
  double fine_last = fine.Update(1000), coarse_last = coarse.Update(1000);
  for (int i = 0; i < 1000; ++i) {
    const uint16_t raw = static_cast<uint16_t>(1000 + i / 10);
    const double f = fine.Update(raw), c = coarse.Update(raw);
    if (f != fine_last) CHECK(std::fabs(f - fine_last) >= 2);
    if (c != coarse_last) CHECK(std::fabs(c - coarse_last) >= 6);
    fine_changes += f != fine_last ? 1 : 0;
    coarse_changes += c != coarse_last ? 1 : 0;
    fine_last = f;
    coarse_last = c;
  }
  CHECK(coarse_changes <= 17);
  CHECK(coarse_changes >= 12);
  CHECK(fine_changes > 30);
}

TEST_CASE("jacks: the axon's code and the synapse's potential are inverse") {
  CHECK(SynapseVm(0.0) == -110);
  CHECK(SynapseVm(4095.0) == doctest::Approx(100).epsilon(1e-14));
  CHECK(AxonCode(-110.0) == 0);
  CHECK(AxonCode(100.0) == 4095);
  CHECK(AxonCode(30.0) == 2730);
  CHECK(AxonCode(-1000.0) == 0);
  CHECK(AxonCode(1000.0) == 4095);
  CHECK(AxonCode(std::nan("")) == 0);
  int wrong = 0;
  for (int code = 0; code <= 4095; ++code) {
    wrong += AxonCode(SynapseVm(static_cast<double>(code))) != code ? 1 : 0;
    wrong += AxonCode(SynapseVm(static_cast<float>(code))) != code ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("jacks: the stimulus converter is bipolar about 2048, the light only positive") {
  CHECK(StimulusCode(0.0) == 2048);
  CHECK(StimulusCode(100.0) == 4095);
  CHECK(StimulusCode(-100.0) == 1);
  CHECK(StimulusCode(50.0) == 3072);
  CHECK(StimulusCode(-50.0) == 1024);
  CHECK(StimulusCode(1e9) == 4095);
  CHECK(StimulusDuty(-100.0) == 0);
  CHECK(StimulusDuty(0.0) == 0);
  CHECK(StimulusDuty(1.0) == 0);
  CHECK(StimulusDuty(50.5) == 511);
  CHECK(StimulusDuty(100.0) == 1023);
  CHECK(StimulusDuty(200.0) == 1023);
}

TEST_CASE("jacks: the photodiode is the mean of ten counts above dark, 0 to 10") {
  Photodiode<double> light;
  light.SetDark(20);
  CHECK(light.Update(20) == 0);
  CHECK(light.Update(10) == 0);
  // Mean of 20, 10 and 150.
  CHECK(light.Update(150) == doctest::Approx(1).epsilon(1e-14));
  for (int i = 0; i < 10; ++i) light.Update(220);
  CHECK(light.Update(220) == doctest::Approx(5).epsilon(1e-14));
  // One count in ten has moved by 200: 220 becomes 240.
  CHECK(light.Update(420) == doctest::Approx(5.5).epsilon(1e-14));
  for (int i = 0; i < 10; ++i) light.Update(4095);
  CHECK(light.Update(4095) == 10);
  for (int i = 0; i < 10; ++i) light.Update(0);
  CHECK(light.Update(0) == 0);
}

TEST_CASE("jacks: current-in gives nothing until it has learnt a zero in 50 quiet steps, then both signs") {
  CurrentIn<double> jack;
  for (int i = 0; i < 49; ++i) CHECK(jack.Update(2100) == 0);
  CHECK_FALSE(jack.has_zero());
  CHECK(jack.Update(2100) == 0);
  CHECK(jack.has_zero());
  CHECK(jack.zero() == 2100);
  double current = 0;
  for (int i = 0; i < 100; ++i) current = jack.Update(2100 + 273 + 500);
  CHECK(current == doctest::Approx(50).epsilon(0.003));
  for (int i = 0; i < 100; ++i) current = jack.Update(2100 - 273 - 500);
  CHECK(current == doctest::Approx(-50).epsilon(0.003));
  // On the way it crossed the dead zone, where the zero follows a little.
  CHECK(std::fabs(jack.zero() - 2100) < 5);
  CHECK(jack.has_zero());
}

TEST_CASE("jacks: current-in learns no zero from a moving or a railed input, and follows a drift of it") {
  CurrentIn<double> jack;
  for (int i = 0; i < 500; ++i) jack.Update(static_cast<uint16_t>(i % 2 == 0 ? 2000 : 2100));
  CHECK_FALSE(jack.has_zero());
  for (int i = 0; i < 500; ++i) jack.Update(0);
  CHECK_FALSE(jack.has_zero());
  for (int i = 0; i < 500; ++i) jack.Update(4095);
  CHECK_FALSE(jack.has_zero());
  // Quiet for 49 steps, one jump, and it starts to count again.
  CurrentIn<double> jumpy;
  for (int i = 0; i < 49; ++i) jumpy.Update(2000);
  jumpy.Update(2100);
  CHECK_FALSE(jumpy.has_zero());
  for (int i = 0; i < 48; ++i) jumpy.Update(2000);
  CHECK_FALSE(jumpy.has_zero());
  for (int i = 0; i < 30; ++i) jumpy.Update(2000);
  CHECK(jumpy.has_zero());
  for (int i = 0; i < 3000; ++i) CHECK(jumpy.Update(2050) == 0);
  CHECK(jumpy.zero() == doctest::Approx(2050).epsilon(1e-6));
}
