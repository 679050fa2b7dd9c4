// Noise, photodiode and synapses.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "neuron/neuron.h"

using spikedaq::Inputs;
using spikedaq::Neuron;
using spikedaq::Noise;
using spikedaq::Sample;

TEST_CASE("noise: mean 0 and standard deviation 1, white, and never beyond six") {
  Noise noise(12345);
  const int n = 1000000;
  double sum = 0, squares = 0, neighbours = 0, fourth = 0, last = 0;
  int beyond_two = 0;
  bool in_range = true;
  for (int i = 0; i < n; ++i) {
    const int raw = noise.Gaussian256();
    in_range = in_range && raw >= -1530 && raw <= 1530;
    const double x = raw / 256.0;
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    neighbours += x * last;
    last = x;
    beyond_two += std::fabs(x) > 2 ? 1 : 0;
  }
  CHECK(in_range);
  // Five standard errors each.
  CHECK(std::fabs(sum / n) < 0.005);
  CHECK(std::fabs(std::sqrt(squares / n) - 1) < 0.0036);
  CHECK(std::fabs(neighbours / n) < 0.005);
  // A sum of 12 uniform bytes has kurtosis 3 - 1.2 / 12; 4.55 % of a Gaussian lies beyond 2, here 4.6 %.
  CHECK(fourth / n == doctest::Approx(2.9).epsilon(0.01));
  CHECK(beyond_two / double(n) == doctest::Approx(0.0458).epsilon(0.03));
}

TEST_CASE("noise: the seed decides the stream, and nothing else does") {
  Noise one(1), again(1), two(2), zero(0);
  int differ = 0, differ_zero = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t x = one.Next();
    CHECK(x == again.Next());
    differ += x != two.Next() ? 1 : 0;
    differ_zero += zero.Next() != 0 ? 1 : 0;
  }
  CHECK(differ > 95);
  CHECK(differ_zero > 95);
}

TEST_CASE("noise: the current has the standard deviation that was set, and the seed repeats it") {
  for (double sd : {0.5, 11.67}) {
    CAPTURE(sd);
    Neuron<float> neuron(7), twin(7), other(8);
    neuron.parameters().noise_sd = twin.parameters().noise_sd = other.parameters().noise_sd = static_cast<float>(sd);
    double sum = 0, squares = 0;
    bool same = true, same_as_other = true;
    const int n = 200000;
    for (int i = 0; i < n; ++i) {
      const Sample<float> s = neuron.Step({});
      CHECK(s.i_total == s.noise_i);
      sum += s.noise_i;
      squares += double(s.noise_i) * s.noise_i;
      const Sample<float> t = twin.Step({});
      same = same && t.noise_i == s.noise_i && t.v == s.v;
      same_as_other = same_as_other && other.Step({}).noise_i == s.noise_i;
    }
    CHECK(same);
    CHECK_FALSE(same_as_other);
    CHECK(std::fabs(sum / n) < 0.012 * sd);
    CHECK(std::sqrt(squares / n) == doctest::Approx(sd).epsilon(0.008));
  }
}

TEST_CASE("noise: none is drawn while there is none") {
  Neuron<double> late(3), early(3);
  for (int i = 0; i < 100; ++i) CHECK(late.Step({}).noise_i == 0);
  late.parameters().noise_sd = early.parameters().noise_sd = 2;
  for (int i = 0; i < 100; ++i) CHECK(late.Step({}).noise_i == early.Step({}).noise_i);
}

TEST_CASE("synapse: one gain per rising edge however long the line is high, then the decay of that synapse") {
  Neuron<double> neuron(1);
  neuron.parameters().syn1_gain = 10;
  neuron.parameters().syn2_gain = -4;
  Inputs<double> high;
  high.syn1_level = high.syn2_level = true;
  CHECK(neuron.Step({}).syn1_i == 0);
  double one = 10, two = -4;
  for (int i = 0; i < 6; ++i) {
    const Sample<double> s = neuron.Step(high);
    one *= 0.995;
    two *= 0.990;
    CHECK(s.syn1_i == doctest::Approx(one).epsilon(1e-14));
    CHECK(s.syn2_i == doctest::Approx(two).epsilon(1e-14));
    CHECK(s.i_total == doctest::Approx(one + two).epsilon(1e-14));
  }
  // A second edge on synapse 1 only.
  neuron.Step({});
  high.syn2_level = false;
  const Sample<double> s = neuron.Step(high);
  CHECK(s.syn1_i == doctest::Approx((one * 0.995 + 10) * 0.995).epsilon(1e-14));
  CHECK(s.syn2_i == doctest::Approx(two * 0.990 * 0.990).epsilon(1e-14));
}

TEST_CASE("synapse: a line that is high at the first step counts as an edge, and the current dies out to 0") {
  Neuron<float> neuron(1);
  neuron.parameters().syn1_gain = 20;
  Inputs<float> high;
  high.syn1_level = true;
  CHECK(neuron.Step(high).syn1_i == doctest::Approx(19.9f));
  float last = 0;
  for (int i = 0; i < 6000; ++i) last = neuron.Step(high).syn1_i;
  CHECK(last == 0.0f);
}

TEST_CASE("synapse: the presynaptic potentials pass through and do not act") {
  Neuron<double> neuron(1), still(1);
  Inputs<double> inputs;
  CHECK(neuron.Step(inputs).syn1_vm == -110);
  still.Step(inputs);
  inputs.syn1_vm_mv = 30;
  inputs.syn2_vm_mv = -65.5;
  const Sample<double> s = neuron.Step(inputs);
  CHECK(s.syn1_vm == 30);
  CHECK(s.syn2_vm == -65.5);
  CHECK(s.v == still.Step({}).v);
}

TEST_CASE("photodiode: the first steps are those worked out by hand") {
  Neuron<double> neuron(1);
  neuron.parameters().photo_gain = -2;
  Inputs<double> light;
  light.photodiode_drive = 10;
  // A = 1: I = -20. A = 1 - 0.001 * 20 = 0.98, then + 0.025 = 1.005 (it may overshoot). I = -20.1.
  CHECK(neuron.Step(light).photo_i == -20);
  CHECK(neuron.Step(light).photo_i == doctest::Approx(-20.1).epsilon(1e-14));
  // A = 1.005 - 0.0201 = 0.9849, + 0.025 = 1.0099.
  CHECK(neuron.Step(light).photo_i == doctest::Approx(-20.198).epsilon(1e-14));
  CHECK(neuron.Step({}).photo_i == 0);
}

TEST_CASE("photodiode: strong light of either sign adapts to a plateau of recovery over decay") {
  for (double gain : {10.0, -10.0, 3.0}) {
    CAPTURE(gain);
    Neuron<double> neuron(1);
    neuron.parameters().photo_gain = gain;
    Inputs<double> light;
    light.photodiode_drive = 10;
    CHECK(neuron.Step(light).photo_i == 10 * gain);
    double current = 0;
    for (int i = 0; i < 5000; ++i) current = neuron.Step(light).photo_i;
    CHECK(current == doctest::Approx(gain > 0 ? 25 : -25).epsilon(1e-9));
    // Recovers in the dark, at 0.025 a step from A = 25 / |10 gain|.
    for (int i = 0; i < 60; ++i) neuron.Step({});
    CHECK(std::fabs(neuron.Step(light).photo_i) >= std::fabs(10 * gain));
    CHECK(std::fabs(neuron.Step(light).photo_i) < std::fabs(10 * gain) * 1.025);
  }
}

TEST_CASE("photodiode: weak light does not adapt below full amplitude, and adaptation never turns negative") {
  Neuron<double> neuron(1);
  neuron.parameters().photo_gain = 1;
  Inputs<double> light;
  light.photodiode_drive = 10;  // 10 a.u., less than the plateau of 25.
  for (int i = 0; i < 5000; ++i) {
    const double current = neuron.Step(light).photo_i;
    if (current < 9.9 || current > 10.25) CHECK(current == 10);
  }
  neuron.parameters().photo_gain = 10;
  neuron.parameters().photo_decay = 1;
  neuron.parameters().photo_recovery = 0;
  CHECK(neuron.Step(light).photo_i > 0);
  for (int i = 0; i < 10; ++i) CHECK(neuron.Step(light).photo_i == 0);
}

TEST_CASE("neuron: the currents add up in the total of the same step") {
  Neuron<double> neuron(1);
  neuron.parameters().i_clamp = 1;
  neuron.parameters().syn1_gain = 2;
  neuron.parameters().syn2_gain = 3;
  neuron.parameters().photo_gain = 0.5;
  neuron.parameters().noise_sd = 1;
  Inputs<double> inputs;
  inputs.current_in = 7;
  inputs.photodiode_drive = 4;
  inputs.syn1_level = inputs.syn2_level = true;
  const Sample<double> s = neuron.Step(inputs);
  CHECK(s.i_total == doctest::Approx(1 + 7 + 2 + 2 * 0.995 + 3 * 0.990 + s.noise_i).epsilon(1e-14));
  CHECK(s.noise_i != 0);
  // v = -70 + 0.1 (196 - 350 + 140 + 14 + I).
  CHECK(s.v == doctest::Approx(-70 + 0.1 * s.i_total).epsilon(1e-14));
}
