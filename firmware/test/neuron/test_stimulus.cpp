// The square wave and the waveform player, step by step.
#include <doctest/doctest.h>

#include <initializer_list>
#include <vector>

#include "neuron/neuron.h"

using spikedaq::Neuron;
using spikedaq::Sample;

namespace {

std::vector<Sample<double>> Run(Neuron<double>* neuron, int steps) {
  std::vector<Sample<double>> samples;
  for (int i = 0; i < steps; ++i) samples.push_back(neuron->Step({}));
  return samples;
}

std::vector<double> StimulusOf(const std::vector<Sample<double>>& samples) {
  std::vector<double> values;
  for (const auto& s : samples) values.push_back(s.stimulus);
  return values;
}

std::vector<int> TriggersOf(const std::vector<Sample<double>>& samples) {
  std::vector<int> steps;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].trigger) steps.push_back(static_cast<int>(i));
  }
  return steps;
}

}  // namespace

TEST_CASE("stimulus: a period is on for its first half and triggers on its first step, from step 0") {
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = -40;
  const auto samples = Run(&neuron, 1530);
  CHECK(TriggersOf(samples) == std::vector<int>{0, 510, 1020});
  for (int step = 0; step < 1530; ++step) {
    CAPTURE(step);
    CHECK(samples[step].stimulus == (step % 510 < 255 ? -40.0 : 0.0));
    CHECK(samples[step].stimulus == doctest::Approx(step % 510 < 255 ? -40.0 : 0.0));
    CHECK(samples[step].loop == static_cast<uint32_t>(step / 510));
    CHECK_FALSE(samples[step].trigger_waveform);
  }
  CHECK(neuron.loops() == 3);
}

TEST_CASE("stimulus: an odd period is on for the smaller half, and one below 2 is 2") {
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = 100;
  neuron.parameters().stim_period = 5;
  CHECK(StimulusOf(Run(&neuron, 10)) == std::vector<double>{100, 100, 0, 0, 0, 100, 100, 0, 0, 0});
  for (uint32_t period : {0u, 1u, 2u}) {
    CAPTURE(period);
    Neuron<double> fast(1);
    fast.parameters().stim_strength = 100;
    fast.parameters().stim_period = period;
    const auto samples = Run(&fast, 4);
    CHECK(StimulusOf(samples) == std::vector<double>{100, 0, 100, 0});
    CHECK(TriggersOf(samples) == std::vector<int>{0, 2});
  }
}

TEST_CASE("stimulus: a changed period acts at the end of the running one, a changed strength at once") {
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = 100;
  neuron.parameters().stim_period = 10;
  Run(&neuron, 3);
  neuron.parameters().stim_period = 4;
  neuron.parameters().stim_strength = 50;
  const auto samples = Run(&neuron, 15);
  CHECK(StimulusOf(samples) == std::vector<double>{50, 50, 0, 0, 0, 0, 0, 50, 50, 0, 0, 50, 50, 0, 0});
  CHECK(TriggersOf(samples) == std::vector<int>{7, 11});

  // Longer, too: the running period is not stretched.
  neuron.parameters().stim_period = 100;
  CHECK(TriggersOf(Run(&neuron, 101)) == std::vector<int>{0, 100});
}

TEST_CASE("stimulus: below 5 % the square wave is off, its triggers stay") {
  for (double strength : {0.0, 4.99, -4.99}) {
    Neuron<double> neuron(1);
    neuron.parameters().stim_strength = strength;
    neuron.parameters().stim_period = 4;
    const auto samples = Run(&neuron, 8);
    CHECK(StimulusOf(samples) == std::vector<double>(8, 0.0));
    CHECK(TriggersOf(samples) == std::vector<int>{0, 4});
  }
  for (double strength : {5.0, -5.0}) {
    Neuron<double> neuron(1);
    neuron.parameters().stim_strength = strength;
    CHECK(neuron.Step({}).stimulus == strength);
  }
}

TEST_CASE("stimulus: a looped waveform plays one row per step and triggers on each first row") {
  const int16_t rows[] = {100, -10000, 3, 250};
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = 80;
  CHECK_FALSE(neuron.PlayWaveform(true));
  neuron.SetWaveform(rows, 4);
  Run(&neuron, 7);
  CHECK(neuron.PlayWaveform(true));
  CHECK(neuron.waveform_playing());
  const auto samples = Run(&neuron, 10);
  CHECK(StimulusOf(samples) == std::vector<double>{1, -100, 0.03, 2.5, 1, -100, 0.03, 2.5, 1, -100});
  CHECK(TriggersOf(samples) == std::vector<int>{0, 4, 8});
  CHECK(samples[4].trigger_waveform);
  CHECK(samples[0].loop == 1);
  CHECK(samples[9].loop == 3);
  for (const auto& s : samples) CHECK_FALSE(s.waveform_ended);
  CHECK(neuron.waveform_loops() == 3);

  // Stopped in the middle of a loop: the square wave starts a period, and the end is told once.
  neuron.StopWaveform();
  CHECK_FALSE(neuron.waveform_playing());
  const auto after = Run(&neuron, 511);
  CHECK(after[0].waveform_ended);
  CHECK(after[0].loops_played == 3);
  CHECK_FALSE(after[1].waveform_ended);
  CHECK(after[0].stimulus == 80);
  CHECK(after[254].stimulus == 80);
  CHECK(after[255].stimulus == 0);
  CHECK(TriggersOf(after) == std::vector<int>{0, 510});
  CHECK_FALSE(after[0].trigger_waveform);

  // Stopped again, as a repeated request does: nothing happens.
  neuron.StopWaveform();
  CHECK(TriggersOf(Run(&neuron, 510)) == std::vector<int>{509});
}

TEST_CASE("stimulus: a waveform played once ends in silence, until stop or play") {
  const int16_t rows[] = {1000, 2000, 3000};
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = 80;
  neuron.parameters().stim_period = 4;
  Run(&neuron, 5);
  neuron.SetWaveform(rows, 3);
  CHECK(neuron.PlayWaveform(false));
  const auto samples = Run(&neuron, 50);
  CHECK(samples[0].stimulus == 10);
  CHECK(samples[2].stimulus == 30);
  CHECK(TriggersOf(samples) == std::vector<int>{0});
  for (int step = 3; step < 50; ++step) CHECK(samples[step].stimulus == 0);
  for (int step = 0; step < 50; ++step) {
    CHECK(samples[step].waveform_ended == (step == 3));
    CHECK(samples[step].loops_played == (step == 3 ? 1u : 0u));
  }
  CHECK_FALSE(neuron.waveform_playing());

  // A new upload leaves the silence; play ends it.
  neuron.SetWaveform(rows, 2);
  CHECK(neuron.Step({}).stimulus == 0);
  CHECK(neuron.PlayWaveform(false));
  const auto again = Run(&neuron, 4);
  CHECK(StimulusOf(again) == std::vector<double>{10, 20, 0, 0});
  CHECK(again[2].waveform_ended);

  neuron.parameters().stim_period = 2;
  neuron.StopWaveform();
  const auto square = Run(&neuron, 5);
  CHECK(StimulusOf(square) == std::vector<double>{80, 0, 80, 0, 80});
  CHECK_FALSE(square[0].waveform_ended);
}

TEST_CASE("stimulus: a waveform that is replaced or forgotten while it plays ends, one never begun does not") {
  const int16_t rows[] = {1000, 2000, 3000};
  Neuron<double> neuron(1);
  neuron.SetWaveform(rows, 3);
  neuron.PlayWaveform(true);
  Run(&neuron, 2);
  neuron.PlayWaveform(true);
  auto samples = Run(&neuron, 2);
  CHECK(StimulusOf(samples) == std::vector<double>{10, 20});
  CHECK(samples[0].waveform_ended);
  CHECK(samples[0].loops_played == 1);
  CHECK(samples[0].trigger_waveform);
  CHECK(neuron.waveform_loops() == 1);

  neuron.SetWaveform(nullptr, 0);
  CHECK_FALSE(neuron.waveform_playing());
  CHECK_FALSE(neuron.PlayWaveform(true));
  samples = Run(&neuron, 2);
  CHECK(samples[0].waveform_ended);
  CHECK(samples[0].trigger);
  CHECK_FALSE(samples[0].trigger_waveform);

  neuron.SetWaveform(rows, 3);
  neuron.PlayWaveform(true);
  neuron.StopWaveform();
  CHECK_FALSE(neuron.Step({}).waveform_ended);
}

TEST_CASE("stimulus: a waveform of one row loops, and peeking changes nothing") {
  const int16_t rows[] = {-4200};
  Neuron<double> neuron(1);
  neuron.parameters().stim_strength = 10;
  neuron.parameters().stim_period = 3;
  for (int step = 0; step < 20; ++step) {
    if (step == 8) neuron.SetWaveform(rows, 1);
    if (step == 8) neuron.PlayWaveform(true);
    if (step == 15) neuron.PlayWaveform(false);
    const auto peek = neuron.PeekStimulus();
    CHECK(neuron.PeekStimulus().percent == peek.percent);
    const Sample<double> s = neuron.Step({});
    CAPTURE(step);
    CHECK(s.stimulus == peek.percent);
    CHECK(s.trigger == peek.trigger);
    CHECK(s.loop == peek.loop);
    CHECK(s.waveform_ended == peek.waveform_ended);
    if (step >= 8 && step < 16) CHECK(s.stimulus == -42);
    if (step >= 8 && step < 16) CHECK(s.trigger);
    if (step >= 16) CHECK(s.stimulus == 0);
  }
}
