// What the native board says of its inputs when it is asked for a self-test.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "native_board.h"

using namespace spikedaq;

namespace {

std::vector<std::string> Names(native::NativeBoard* board) {
  std::vector<std::string> names;
  board::Probe probe;
  for (uint8_t i = 0; i < 100 && board->ReadProbe(i, &probe); ++i) names.emplace_back(probe.name.data, probe.name.size);
  return names;
}

board::Probe At(native::NativeBoard* board, uint8_t index) {
  board::Probe probe = {};
  REQUIRE(board->ReadProbe(index, &probe));
  return probe;
}

native::Options StdioOptions() {
  native::Options options;
  options.link = native::LinkKind::kStdio;
  options.step_us = 250;
  return options;
}

}  // namespace

TEST_CASE("native: lists its inputs, and those of its knobs that the command line set") {
  native::Options options = StdioOptions();
  options.knobs = {{"i_clamp", 4095.0f}, {"noise_sd", 0.0f}};
  native::NativeBoard board(options);
  const std::vector<std::string> expected = {"photodiode", "current_in", "syn1_vm",      "syn2_vm",
                                             "syn1_pulse", "syn2_pulse", "i_clamp_knob", "noise_sd_knob"};
  CHECK(Names(&board) == expected);
  CHECK(At(&board, 0).period_us == 250);
  CHECK(At(&board, 6).period_us == 0);
  CHECK(At(&board, 6).raw == 4095);
  CHECK(At(&board, 6).value == doctest::Approx(3.3));
}

TEST_CASE("native: a probe says what was read at the newest step") {
  native::NativeBoard board(StdioOptions());
  board.parameters()->Store(0, 5);   // virtual_light
  board.parameters()->Store(1, 10);  // virtual_current_in
  CHECK(At(&board, 0).raw == 0);
  Inputs<float> inputs;
  board.ReadInputs(&inputs);
  CHECK(At(&board, 0).raw == 200);
  CHECK(At(&board, 0).value == doctest::Approx(200 * 3.3 / 4095));
  CHECK(At(&board, 1).raw == 2048 + 273 + 100);
  CHECK(At(&board, 4).raw == 0);
  CHECK(std::string(At(&board, 4).unit.data, 1) == "1");
}
