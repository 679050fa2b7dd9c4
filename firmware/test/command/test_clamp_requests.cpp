// Voltage clamp as a host and a knob see it: descriptions, parameters, blocks.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

using namespace testing;

namespace {

std::string String(Text text) { return std::string(text.data, text.size); }

/// A device that streams in voltage clamp or not, with every block taken off it at once.
std::vector<Block> Stream(Bench& b, int n_steps) {
  b.Steps(n_steps);
  return b.Take<Block>();
}

}  // namespace

TEST_CASE("clamp: the hello has the trait, and kind 3 describes the channels that hold then") {
  Bench b;
  b.Send(HelloRequest{1, 1});
  const std::vector<Hello> hellos = b.Take<Hello>();
  REQUIRE(hellos.size() == 1);
  CHECK((hellos[0].traits & kTraitVoltageClamp) != 0);
  const char* names[8] = {"vm", "v_command", "i_clamp_out", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"};
  const char* units[8] = {"mV", "mV", "a.u.", "mV", "a.u.", "mV", "a.u.", "1"};
  const int exponents[8] = {-2, -2, -2, -2, -2, -2, -2, 0};
  for (uint8_t i = 0; i < 8; ++i) {
    b.Send(Describe{i, 3, i});
    const std::vector<Description<Channel>> one = b.Take<Description<Channel>>();
    REQUIRE(one.size() == 1);
    CHECK(one[0].kind == 3);
    CHECK(one[0].index == i);
    CHECK(String(one[0].body.name) == names[i]);
    CHECK(String(one[0].body.unit) == units[i]);
    CHECK(one[0].body.scale_mantissa == 1);
    CHECK(int(one[0].body.scale_exponent) == exponents[i]);
    CHECK(one[0].body.offset_mantissa == 0);
  }
}

TEST_CASE("clamp: entering holds the membrane where it is, unless the host says where, whatever the order") {
  for (int order = 0; order < 3; ++order) {
    CAPTURE(order);
    Bench b;
    b.Send(SetRequest(1).Add(b.Index("i_clamp"), 3).Message());
    b.Steps(500);
    b.messages.clear();
    const uint8_t mode = b.Index("clamp_mode"), hold = b.Index("v_hold");
    SetRequest request(2);
    if (order == 0) request.Add(mode, 1);
    if (order == 1) request.Add(mode, 1).Add(hold, -40);
    if (order == 2) request.Add(hold, -40).Add(mode, 1);
    b.Send(request.Message());
    CHECK(b.Code(2) == 0);
    CHECK(b.Value("clamp_mode") == 1);
    if (order > 0) {
      CHECK(b.Value("v_hold") == -40);
      continue;
    }
    // Where 3 a.u. have put it, which is not where the default would.
    CHECK(b.Value("v_hold") != -70);
    CHECK(b.Value("v_hold") > -90);
    CHECK(b.Value("v_hold") < -40);
    CHECK(b.device.parameters().holder(hold) == Holder::kKnob);
    // Both changes are told.
    const std::vector<Event> events = b.Take<Event>();
    REQUIRE(events.size() == 2);
    CHECK(events[0].index == mode);
    CHECK(events[0].value == 1);
    CHECK(events[1].index == hold);
    CHECK(events[1].value == b.Value("v_hold"));
  }
}

TEST_CASE("clamp: blocks are cut where the mode changes and say so, to the sample") {
  Bench b;
  b.Send(Start{1, 10});
  const uint8_t mode = b.Index("clamp_mode"), hold = b.Index("v_hold");
  std::vector<Block> blocks = Stream(b, 13);
  b.Send(SetRequest(2).Add(mode, 1).Add(hold, -45.5f).Message());
  for (const Block& block : Stream(b, 17)) blocks.push_back(block);
  b.Send(SetRequest(3).Add(mode, 0).Message());
  for (const Block& block : Stream(b, 10)) blocks.push_back(block);
  b.Send(SetRequest(4).Add(mode, 0).Message());  // it is there already: nothing is cut
  b.Steps(5);
  b.Send(Stop{5});
  for (const Block& block : b.Take<Block>()) blocks.push_back(block);
  const uint64_t first_steps[] = {0, 10, 13, 23, 30, 40};
  const uint16_t lengths[] = {10, 3, 10, 7, 10, 5};
  const uint8_t flags[] = {kBlockAfterStart, 0, kBlockVoltageClamp, kBlockVoltageClamp, 0, 0};
  REQUIRE(blocks.size() == 6);
  for (int k = 0; k < 6; ++k) {
    CAPTURE(k);
    CHECK(blocks[k].first_step == first_steps[k]);
    CHECK(blocks[k].n == lengths[k]);
    CHECK((blocks[k].flags & ~kBlockSaturated) == flags[k]);
  }
}

TEST_CASE("clamp: no spike and no axon in it, while the stimulus goes on") {
  Bench b;
  const uint8_t mode = b.Index("clamp_mode");
  b.Send(SetRequest(1).Add(b.Index("i_clamp"), 20).Add(b.Index("stim_period"), 100).Message());
  b.Send(Start{2, 50});
  int spikes[2] = {0, 0}, triggers[2] = {0, 0};
  for (int in_clamp = 0; in_clamp < 2; ++in_clamp) {
    b.Send(SetRequest(3).Add(mode, static_cast<float>(in_clamp)).Add(b.Index("v_hold"), -20).Message());
    for (int k = 0; k < 40; ++k) {
      b.Steps(25);
      for (const Event& event : b.Take<Event>()) {
        spikes[in_clamp] += event.kind == uint8_t(EventKind::kSpike) ? 1 : 0;
        triggers[in_clamp] += event.kind == uint8_t(EventKind::kTrigger) ? 1 : 0;
      }
      b.messages.clear();
    }
  }
  CHECK(spikes[0] > 3);
  CHECK(spikes[1] == 0);
  CHECK(triggers[0] == triggers[1]);
}

TEST_CASE("clamp: the patch knob is that of the holding potential, from when it is turned") {
  Bench b;
  const uint8_t current = b.Index("i_clamp"), mode = b.Index("clamp_mode"), hold = b.Index("v_hold");
  float value = 0;
  const auto turn = [&](float counts) {
    REQUIRE(command::NeuronParameters::KnobValue(current, counts, &value));
    b.device.neuron_parameters().SetKnob(current, value);
    b.device.parameters().FollowKnob(current);
  };
  turn(2048 + 273 + 355);  // a fifth of the way up
  CHECK((b.device.parameters().Spec(hold).flags & kParameterHasKnob) != 0);
  CHECK(b.Value("v_hold") == -70);  // in current clamp it stays as it is
  b.Send(SetRequest(1).Add(mode, 1).Message());
  const float entered = b.Value("v_hold");
  CHECK(entered == doctest::Approx(-70).epsilon(0.05));
  turn(2048 + 273 + 355);  // read again and not turned
  CHECK(b.Value("v_hold") == entered);
  turn(2048 + 273 + 710);
  CHECK(b.Value("v_hold") == doctest::Approx(-42).epsilon(1e-5));
  b.Send(SetRequest(2).Add(b.Index("vc_span"), 50).Message());
  turn(2048 + 273 + 355);
  CHECK(b.Value("v_hold") == doctest::Approx(-60).epsilon(1e-5));
  CHECK(b.Value("i_clamp") == doctest::Approx(355 * 200 / 4095.0).epsilon(1e-5));
  // The host takes it, and hands it back.
  b.Send(SetRequest(3).Add(hold, -33).Message());
  turn(2048 + 273 + 710);
  CHECK(b.Value("v_hold") == -33);
  b.Send(SetRequest(4).HandBack(hold).Message());
  CHECK(b.Value("v_hold") == doctest::Approx(-50).epsilon(1e-5));
  CHECK(b.device.parameters().holder(hold) == Holder::kKnob);
  turn(2048);
  CHECK(b.Value("v_hold") == -70);
}

TEST_CASE("clamp: ranges are kept, and the limits cannot cross") {
  Bench b;
  const struct {
    const char* name;
    float value;
    bool good;
  } cases[] = {
      {"clamp_mode", 2, false}, {"clamp_mode", 0.5f, false}, {"clamp_mode", -1, false}, {"v_hold", -110, true},
      {"v_hold", 30, true},     {"v_hold", 30.01f, false},   {"v_hold", -111, false},   {"vc_kp", 0, true},
      {"vc_kp", -0.1f, false},  {"vc_ki", 100.5f, false},    {"vc_i_min", 0, true},     {"vc_i_min", 1, false},
      {"vc_i_max", -1, false},  {"vc_i_max", 0, true},       {"vc_span", 140, true},    {"vc_span", 141, false}};
  uint32_t id = 10;
  for (const auto& c : cases) {
    CAPTURE(c.name);
    CAPTURE(c.value);
    b.Send(SetRequest(++id).Add(b.Index(c.name), c.value).Message());
    CHECK(b.Code(id) == (c.good ? 0 : int(ReplyCode::kOutOfRange)));
  }
}

TEST_CASE("clamp: a reset keeps the mode, one with parameters and a reboot end it") {
  Bench b;
  const uint8_t mode = b.Index("clamp_mode"), hold = b.Index("v_hold");
  b.Send(SetRequest(1).Add(mode, 1).Add(hold, -40).Add(b.Index("vc_kp"), 3).Message());
  b.Steps(100);
  b.Send(Reset{2, 0});
  CHECK(b.Value("clamp_mode") == 1);
  CHECK(b.Value("v_hold") == -40);
  b.Send(Reset{3, 1});
  CHECK(b.Value("clamp_mode") == 0);
  CHECK(b.Value("v_hold") == -70);
  CHECK(b.Value("vc_kp") == 7.5f);
  // Nobody holds v_hold now: entering takes it to the membrane.
  b.Steps(200);
  b.Send(SetRequest(4).Add(mode, 1).Message());
  CHECK(b.Value("v_hold") == doctest::Approx(-70).epsilon(0.05));
  b.device.Boot(78);
  CHECK(b.Value("clamp_mode") == 0);
  CHECK_FALSE(b.device.neuron_parameters().voltage_clamp());
}
