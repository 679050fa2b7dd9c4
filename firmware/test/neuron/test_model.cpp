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
