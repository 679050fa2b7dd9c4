// The membrane model against numbers measured apart from this code: a table of all presets, and a stock recording.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "neuron/neuron.h"

using spikedaq::EulerStep;
using spikedaq::EulerStepStock24;
using spikedaq::Inputs;
using spikedaq::kPresetCount;
using spikedaq::Membrane;
using spikedaq::Neuron;
using spikedaq::Sample;

namespace {

constexpr int kNone = -1;

struct Behaviour {
  int spikes;
  int first_step;
};

// 10,000 steps of constant current 0, 10 and 20 from rest: resets, and the step of the first, from 0. Measured in
// double precision with another program.
const Behaviour kBehaviour[kPresetCount][3] = {
    {{0, kNone}, {27, 36}, {56, 21}},      // 0 tonic spiking
    {{0, kNone}, {36, 25}, {64, 17}},      // 1 phasic spiking
    {{0, kNone}, {86, 36}, {167, 21}},     // 2 tonic bursting
    {{0, kNone}, {378, 25}, {593, 17}},    // 3 phasic bursting
    {{0, kNone}, {34, 36}, {82, 21}},      // 4 mixed mode
    {{0, kNone}, {13, 36}, {26, 21}},      // 5 spike-frequency adaptation
    {{0, kNone}, {0, kNone}, {0, kNone}},  // 6 class 1
    {{0, kNone}, {262, 25}, {455, 16}},    // 7 class 2
    {{0, kNone}, {27, 36}, {56, 21}},      // 8 spike latency
    {{0, kNone}, {324, 23}, {527, 16}},    // 9 subthreshold oscillations
    {{0, kNone}, {416, 23}, {624, 16}},    // 10 resonator
    {{0, kNone}, {0, kNone}, {0, kNone}},  // 11 integrator
    {{0, kNone}, {61, 25}, {121, 17}},     // 12 rebound spike
    {{0, kNone}, {480, 25}, {672, 17}},    // 13 rebound burst
    {{0, kNone}, {61, 25}, {121, 17}},     // 14 threshold variability
    {{0, kNone}, {313, 22}, {527, 15}},    // 15 bistability
    {{0, kNone}, {554, 40}, {768, 22}},    // 16 depolarising after-potential
    {{166, 10}, {204, 8}, {243, 8}},       // 17 accommodation
    {{102, 10}, {122, 8}, {142, 8}},       // 18 inhibition-induced spiking
    {{0, kNone}, {0, kNone}, {0, kNone}},  // 19 inhibition-induced bursting: pinned at -110
};

}  // namespace

TEST_CASE("neuron: every preset spikes as often and as early as measured") {
  const double currents[3] = {0, 10, 20};
  for (int preset = 0; preset < kPresetCount; ++preset) {
    for (int k = 0; k < 3; ++k) {
      CAPTURE(preset);
      CAPTURE(currents[k]);
      Neuron<double> neuron(1);
      CHECK(neuron.SetPreset(static_cast<uint8_t>(preset)));
      neuron.parameters().i_clamp = currents[k];
      Behaviour seen = {0, kNone};
      int crossings = 0;
      double lowest = 0;
      for (int step = 0; step < 10000; ++step) {
        const double v_before = neuron.membrane().v;
        const Sample<double> s = neuron.Step({});
        // A reset is told from its outside: v lands on c exactly, and u has jumped by d.
        const bool reset = s.v == neuron.parameters().c && std::fabs(s.v - v_before) > 1e-3;
        if (reset && seen.spikes++ == 0) seen.first_step = step;
        if (s.spike) ++crossings;
        lowest = s.v < lowest ? s.v : lowest;
      }
      CHECK(seen.spikes == kBehaviour[preset][k].spikes);
      CHECK(seen.first_step == kBehaviour[preset][k].first_step);
      if (kBehaviour[preset][k].spikes == 0) CHECK(crossings == 0);
      // The last spike may have begun without having been reset yet.
      CHECK(crossings >= seen.spikes);
      CHECK(crossings <= seen.spikes + 1);
      if (preset == 19) CHECK(lowest == -110);
    }
  }
}

TEST_CASE("neuron: the stock emulator's recording is reproduced to 1e-9 mV") {
  const char* folder = std::getenv("SPIKEDAQ_STOCK_DATA");
  const std::string path =
      (folder != nullptr ? std::string(folder) : std::string(SPIKEDAQ_SOURCE_DIR "/../shared/data")) + "/test.csv";
  std::ifstream file(path);
  if (!file) {
    MESSAGE("did not run: no " << path << " (set SPIKEDAQ_STOCK_DATA to the folder of the stock recordings)");
    return;
  }
  std::vector<double> vm, current;
  std::string line;
  std::getline(file, line);
  CHECK(line.compare(0, 10, "Time (ms),") == 0);
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    double cell[4] = {};
    char comma = 0;
    for (double& c : cell) cells >> c >> comma;
    vm.push_back(cell[1]);
    current.push_back(cell[3]);
  }
  CHECK(vm.size() == 13329);
  if (vm.size() < 2) return;

  // A row holds v before the step and the current of that step. u is not recorded; the first two rows give it.
  Membrane<double> m = {vm[0], 0.04 * vm[0] * vm[0] + 5 * vm[0] + 140 + current[0] - (vm[1] - vm[0]) / 0.1};
  double worst = 0;
  int at_peak = 0;
  for (size_t row = 1; row < vm.size(); ++row) {
    EulerStepStock24(0.02, 0.2, -65.0, 8.0, current[row - 1], &m);
    const double error = std::fabs(m.v - vm[row]);
    worst = error > worst ? error : worst;
    if (m.v == 30) ++at_peak;
  }
  CHECK(worst < 1e-9);
  CHECK(at_peak == 97);
  MESSAGE("test.csv: " << vm.size() << " rows, largest error " << worst << " mV");
}

TEST_CASE("neuron: u is advanced with the v of the same step") {
  Membrane<double> m = {-65, 0};
  EulerStep(0.02, 0.2, -65.0, 8.0, 0.0, &m);
  // By hand: v = -65 + 0.1 (169 - 325 + 140) = -66.6; u = 0.1 * 0.02 * (0.2 * -66.6) = -0.02664.
  CHECK(m.v == doctest::Approx(-66.6).epsilon(1e-14));
  CHECK(m.u == doctest::Approx(-0.02664).epsilon(1e-14));
}

TEST_CASE("neuron: the peak resets v to c and adds d to u") {
  Membrane<double> m = {25, 3};
  EulerStep(0.02, 0.2, -65.0, 8.0, 0.0, &m);
  CHECK(m.v == -65);
  // v before the reset: 25 + 0.1 (25 + 125 + 140 - 3) = 53.7; u = 3 + 0.002 (10.74 - 3) + 8.
  CHECK(m.u == doctest::Approx(11.01548).epsilon(1e-14));
}

TEST_CASE("neuron: vm shows 30 on exactly the steps with v of -30 or more, and a spike is the first of them") {
  Neuron<double> neuron(1);
  neuron.parameters().i_clamp = 20;
  bool above = false;
  int plateau = 0, spikes = 0;
  for (int step = 0; step < 10000; ++step) {
    const Sample<double> s = neuron.Step({});
    CHECK(s.v == neuron.membrane().v);
    CHECK(s.axon_level == (s.v >= -30));
    CHECK(s.vm == (s.v >= -30 ? 30.0 : s.v));
    CHECK(s.spike == (s.axon_level && !above));
    CHECK(s.i_total == 20);
    above = s.axon_level;
    plateau += above ? 1 : 0;
    spikes += s.spike ? 1 : 0;
  }
  CHECK(spikes == 56);
  // Measured apart from this code: 5 to 6 steps per tonic spike at 20 a.u.
  CHECK(plateau >= 5 * spikes);
  CHECK(plateau <= 6 * spikes);
}

TEST_CASE("neuron: a preset copies its numbers and puts the neuron to rest, a bad index changes nothing") {
  Neuron<double> neuron(1);
  neuron.parameters().i_clamp = 20;
  for (int i = 0; i < 500; ++i) neuron.Step({});
  CHECK(neuron.SetPreset(19));
  CHECK(neuron.parameters().preset == 19);
  CHECK(neuron.parameters().a == 0.026);
  CHECK(neuron.parameters().b == -1.0);
  CHECK(neuron.parameters().c == -45.0);
  CHECK(neuron.parameters().d == -2.0);
  CHECK(neuron.parameters().v_rest == -63.8);
  CHECK(neuron.membrane().v == -63.8);
  CHECK(neuron.membrane().u == 63.8);
  CHECK(neuron.parameters().i_clamp == 20);

  neuron.Step({});
  const Membrane<double> before = neuron.membrane();
  CHECK_FALSE(neuron.SetPreset(20));
  CHECK_FALSE(neuron.SetPreset(spikedaq::kCustomPreset));
  CHECK(neuron.parameters().preset == 19);
  CHECK(neuron.membrane().v == before.v);

  neuron.SetCustom(0.03, 0.25, -52, 0.5, -64);
  CHECK(neuron.parameters().preset == spikedaq::kCustomPreset);
  CHECK(neuron.membrane().v == -64);
  CHECK(neuron.membrane().u == -16);
}

TEST_CASE("neuron: presets are the published decimals in float and in double") {
  for (uint8_t i = 0; i < kPresetCount; ++i) {
    CAPTURE(int(i));
    Neuron<float> small(1);
    small.SetPreset(i);
    CHECK(small.parameters().a == spikedaq::PresetOf(i).a);
    CHECK(small.parameters().b == spikedaq::PresetOf(i).b);
    CHECK(small.parameters().c == spikedaq::PresetOf(i).c);
    CHECK(small.parameters().d == spikedaq::PresetOf(i).d);
    CHECK(small.parameters().v_rest == spikedaq::PresetOf(i).v_rest);
    CHECK(spikedaq::PresetOf(i).name[0] != 0);
  }
  Neuron<double> wide(1);
  wide.SetPreset(3);
  CHECK(wide.parameters().d == 0.05);
  wide.SetPreset(18);
  CHECK(wide.parameters().v_rest == -63.8);
}

TEST_CASE("neuron: numbers that are none do not outlive their cause") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const double poisons[] = {nan, infinity, -infinity, -1e308};
  for (double poison : poisons) {
    CAPTURE(poison);
    Neuron<double> neuron(1);
    Inputs<double> inputs;
    inputs.current_in = poison;
    inputs.photodiode_drive = poison;
    neuron.parameters().photo_gain = 1;
    for (int i = 0; i < 5; ++i) neuron.Step(inputs);
    neuron.parameters().i_clamp = 20;
    int spikes = 0;
    for (int i = 0; i < 10000; ++i) {
      const Sample<double> s = neuron.Step({});
      CHECK(std::isfinite(s.v));
      CHECK(s.v >= -110);
      spikes += s.spike ? 1 : 0;
    }
    CHECK(spikes > 20);
  }
}

TEST_CASE("neuron: reset brings back the first run, its parameters kept") {
  Neuron<double> neuron(1);
  neuron.parameters().i_clamp = 20;
  neuron.parameters().syn1_gain = 5;
  neuron.parameters().photo_gain = 5;
  std::vector<double> first;
  for (int i = 0; i < 300; ++i) first.push_back(neuron.Step({}).v);
  Inputs<double> busy;
  busy.photodiode_drive = 10;
  busy.syn1_level = true;
  for (int i = 0; i < 300; ++i) neuron.Step(busy);
  neuron.Step({});
  neuron.Reset();
  CHECK(neuron.parameters().i_clamp == 20);
  bool same = true;
  for (double v : first) same = same && neuron.Step({}).v == v;
  CHECK(same);
  for (int i = 0; i < 300; ++i) neuron.Step(busy);
  neuron.Reset();
  CHECK(neuron.Step(busy).photo_i == 50);

  neuron.SetPreset(4);
  neuron.ResetParameters();
  CHECK(neuron.parameters().preset == 0);
  CHECK(neuron.parameters().i_clamp == 0);
  CHECK(neuron.parameters().syn1_decay == 0.995);
  CHECK(neuron.parameters().syn2_decay == 0.990);
  CHECK(neuron.parameters().photo_decay == 0.001);
  CHECK(neuron.parameters().photo_recovery == 0.025);
  CHECK(neuron.parameters().stim_period == 510);
  CHECK(neuron.membrane().v == -70);
  CHECK(neuron.membrane().u == -14);
}
