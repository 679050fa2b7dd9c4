// What a device answers to every request, good and bad, through its link.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "bench.h"

using namespace testing;

TEST_CASE("hello: answered whatever the host's version, with what the device has") {
  Bench b;
  b.Send(HelloRequest{200, 3});
  const std::vector<Hello> hellos = b.Take<Hello>();
  REQUIRE(hellos.size() == 1);
  CHECK(hellos[0].major == 1);
  CHECK(hellos[0].boot_id == 77);
  CHECK(hellos[0].n_channels == 8);
  CHECK(hellos[0].n_parameters == b.device.parameters().count());
  CHECK(hellos[0].n_presets == 20);
  CHECK(hellos[0].block_samples == 10);
  CHECK(hellos[0].stimulus_capacity == 20);
  CHECK(hellos[0].max_request_bytes == 128);
  CHECK_FALSE(hellos[0].running);
}

TEST_CASE("ping: the token, the tick and the step") {
  Bench b;
  b.Steps(3);
  b.board.tick = 0x123456789Au;
  b.Send(Ping{42});
  const std::vector<Pong> pongs = b.Take<Pong>();
  REQUIRE(pongs.size() == 1);
  CHECK(pongs[0].token == 42);
  CHECK(pongs[0].tick == 0x123456789Au);
  CHECK(pongs[0].step == 3);
}

TEST_CASE("describe: each channel, parameter and preset once, and nothing beyond") {
  Bench b;
  for (uint8_t i = 0; i < 8; ++i) b.Send(Describe{i, 0, i});
  const std::vector<Description<Channel>> channels = b.Take<Description<Channel>>();
  REQUIRE(channels.size() == 8);
  CHECK(std::string(channels[2].body.name.data, channels[2].body.name.size) == "i_total");
  CHECK(channels[2].body.scale_exponent == -2);
  CHECK(channels[7].index == 7);
  for (uint8_t i = 0; i < b.device.parameters().count(); ++i) {
    b.Send(Describe{i, 1, i});
    const std::vector<Description<Parameter>> one = b.Take<Description<Parameter>>();
    REQUIRE(one.size() == 1);
    CHECK(one[0].body.minimum <= one[0].body.default_value);
    CHECK(one[0].body.default_value <= one[0].body.maximum);
    CHECK(one[0].body.value == one[0].body.default_value);
    CHECK(one[0].body.holder == 0);
  }
  for (uint8_t i = 0; i < 20; ++i) b.Send(Describe{i, 2, i});
  CHECK(b.Take<Description<PresetBody>>().size() == 20);
  b.Send(Describe{90, 0, 8});
  CHECK(b.Code(90) == int(ReplyCode::kOutOfRange));
  b.Send(Describe{91, 1, b.device.parameters().count()});
  CHECK(b.Code(91) == int(ReplyCode::kOutOfRange));
  b.Send(Describe{92, 2, 20});
  CHECK(b.Code(92) == int(ReplyCode::kOutOfRange));
  b.Send(Describe{93, 3, 8});
  CHECK(b.Code(93) == int(ReplyCode::kOutOfRange));
  b.Send(Describe{94, 4, 0});
  CHECK(b.Code(94) == int(ReplyCode::kOutOfRange));
}

TEST_CASE("set: every value at once or none") {
  Bench b;
  const uint8_t clamp = b.Index("i_clamp"), noise = b.Index("noise_sd");
  b.Send(SetRequest(1).Add(clamp, 12.5f).Add(noise, 2).Message());
  CHECK(b.Code(1) == 0);
  CHECK(b.Value("i_clamp") == 12.5f);
  b.Send(SetRequest(2).Add(clamp, 20).Add(noise, -1).Message());
  CHECK(b.Code(2) == int(ReplyCode::kOutOfRange));
  CHECK(b.Value("i_clamp") == 12.5f);
  CHECK(b.Value("noise_sd") == 2);
  b.Send(SetRequest(3).Add(clamp, 20).Add(200, 1).Message());
  CHECK(b.Code(3) == int(ReplyCode::kOutOfRange));
  CHECK(b.Value("i_clamp") == 12.5f);
}

TEST_CASE("set: no NaN, no infinity, nothing outside the range, no half integers") {
  Bench b;
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity(), 1000.5f};
  uint32_t id = 1;
  for (uint8_t i = 0; i < b.device.parameters().count(); ++i) {
    const float before = b.device.parameters().Value(i);
    for (const float value : {bad[0], bad[1], bad[2]}) {
      b.Send(SetRequest(id).Add(i, value).Message());
      CHECK(b.Code(id++) == int(ReplyCode::kOutOfRange));
    }
    CHECK(b.device.parameters().Value(i) == before);
  }
  b.Send(SetRequest(id).Add(b.Index("stim_period"), bad[3]).Message());
  CHECK(b.Code(id++) == int(ReplyCode::kOutOfRange));
  for (const float preset : {20.0f, 255.0f, -1.0f, 0.5f}) {
    b.Send(SetRequest(id).Add(b.Index("preset"), preset).Message());
    CHECK(b.Code(id++) == int(ReplyCode::kOutOfRange));
  }
}

TEST_CASE("set: what is no list of pairs is bad arguments") {
  Bench b;
  const std::vector<std::vector<uint8_t>> bad = {
      {0x93, 36, 1, 0x91, 6},                    // an index alone
      {0x93, 36, 1, 0x92, 6, 0xA1, 'x'},         // a text for a value
      {0x93, 36, 1, 0x92, 0xCA, 0, 0, 0, 0, 1},  // a float for an index
      {0x93, 36, 1, 0x81, 6, 1},                 // a map
      {0x92, 36, 1},                             // no pairs
      {0x93, 36, 1, 0x92, 0xCD, 0x01, 0x00, 1},  // index 256
  };
  for (const std::vector<uint8_t>& message : bad) {
    b.SendBytes(message);
    CHECK(b.Code(1) == int(ReplyCode::kBadArguments));
  }
  b.SendBytes({0x93, 36, 2, 0x90});
  CHECK(b.Code(2) == 0);  // nothing to set is well said
}

TEST_CASE("set: the neuron's own parameters go together, and nil hands back") {
  Bench b;
  const uint8_t preset = b.Index("preset"), a = b.Index("a"), c = b.Index("c");
  b.Send(SetRequest(1).Add(preset, 4).Message());
  CHECK(b.Value("c") == -55);
  b.Send(SetRequest(2).Add(a, 0.1f).Add(c, -50).Message());
  CHECK(b.Value("preset") == 255);
  CHECK(b.Value("d") == 4);
  b.Send(Get{3, preset});
  b.Take<Reply>();
  CHECK(b.device.parameters().holder(preset) == Holder::kHost);
  b.Send(SetRequest(4).HandBack(preset).Message());
  CHECK(b.Code(4) == 0);
  CHECK(b.Value("preset") == 0);
  CHECK(b.Value("c") == -65);
  CHECK(b.device.parameters().holder(preset) == Holder::kKnob);
}

TEST_CASE("knob: decides until the host holds, and again when handed back") {
  Bench b;
  const uint8_t clamp = b.Index("i_clamp");
  float value = 0;
  REQUIRE(command::NeuronParameters::KnobValue(clamp, 4095, &value));
  b.device.neuron_parameters().SetKnob(clamp, value);
  b.device.parameters().FollowKnob(clamp);
  CHECK(b.Value("i_clamp") == doctest::Approx(86.64).epsilon(0.001));
  b.Send(SetRequest(1).Add(clamp, 5).Message());
  b.device.neuron_parameters().SetKnob(clamp, -3);
  b.device.parameters().FollowKnob(clamp);
  CHECK(b.Value("i_clamp") == 5);
  b.Send(SetRequest(2).HandBack(clamp).Message());
  CHECK(b.Value("i_clamp") == -3);
  CHECK((b.device.parameters().Spec(clamp).flags & kParameterHasKnob) != 0);
  CHECK_FALSE(command::NeuronParameters::KnobValue(b.Index("photo_decay"), 4095, &value));
}

TEST_CASE("events: one for each parameter that changed, none for one that did not") {
  Bench b;
  b.Send(SetRequest(1).Add(b.Index("preset"), 4).Message());  // preset and c and d; a, b and v_rest stay
  std::vector<Event> events = b.Take<Event>();
  REQUIRE(events.size() == 3);
  for (const Event& event : events) CHECK(event.kind == 2);
  CHECK(events[0].index == b.Index("preset"));
  CHECK(events[0].value == 4);
  b.Send(SetRequest(2).Add(b.Index("i_clamp"), 0).Message());
  CHECK(b.Take<Event>().empty());
}

TEST_CASE("get: value and holder, or out of range") {
  Bench b;
  b.Send(SetRequest(1).Add(b.Index("i_clamp"), 2.5f).Message());
  b.Take<Reply>();
  b.Send(Get{2, b.Index("i_clamp")});
  const std::vector<Reply> replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  const std::vector<uint8_t> want = {0x92, 0xCA, 0x40, 0x20, 0, 0, 1};
  CHECK(std::vector<uint8_t>(replies[0].value.data, replies[0].value.data + replies[0].value.size) == want);
  b.Send(Get{3, 255});
  CHECK(b.Code(3) == int(ReplyCode::kOutOfRange));
}

TEST_CASE("start and stop: consecutive blocks, an answer that names the first and the last step") {
  Bench b;
  b.Steps(7);
  b.Send(Start{1, 5});
  std::vector<Reply> replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].value.data[0] == 7);
  b.Steps(12);
  std::vector<Block> blocks = b.Take<Block>();
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].first_step == 7);
  CHECK(blocks[0].flags == kBlockAfterStart);
  CHECK(blocks[0].first_tick == static_cast<uint32_t>(b.board.boot_tick + 700));  // it has wrapped
  CHECK(blocks[1].first_step == 12);
  b.Send(Stop{2});
  blocks = b.Take<Block>();
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0].n == 2);
  replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].value.data[0] == 19);
  CHECK(replies[0].seq > blocks[0].seq);  // nothing follows the answer
  b.Steps(20);
  CHECK(b.Take<Block>().empty());
  b.Send(Stop{3});
  CHECK(b.Take<Reply>()[0].value.data[0] == 19);
  b.Send(Start{4, Bench::kCapacity + 1});
  CHECK(b.Code(4) == int(ReplyCode::kTooLarge));
  b.Send(Start{5, 0});
  b.Steps(10);
  CHECK(b.Take<Block>().at(0).n == 10);
}

TEST_CASE("requests sent again are answered again and not done again, until a new hello") {
  Bench b;
  b.Send(Start{1, 5});
  b.Steps(3);
  b.Send(Start{1, 5});
  CHECK(b.Take<Reply>().size() == 2);
  b.Steps(2);
  std::vector<Block> blocks = b.Take<Block>();
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0].n == 5);  // the second start did not cut it
  b.Steps(2);
  b.Send(HelloRequest{1, 0});
  b.Send(Start{1, 5});  // another host, whose ids begin again
  b.Steps(5);
  blocks = b.Take<Block>();
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].n == 2);
  CHECK(blocks[1].flags == kBlockAfterStart);

  b.Send(SetRequest(9).Add(b.Index("preset"), 0).Message());
  b.Steps(1);
  b.device.parameters().Set(b.Index("i_clamp"), false, 1);
  b.Send(SetRequest(10).Add(b.Index("i_clamp"), 3).Message());
  b.device.parameters().Set(b.Index("i_clamp"), false, 1);
  b.Send(SetRequest(10).Add(b.Index("i_clamp"), 3).Message());
  CHECK(b.Value("i_clamp") == 1);
}

TEST_CASE("stimulus: upload, play, every refusal") {
  Bench b;
  const auto data = [&](uint32_t id, uint32_t first, std::vector<uint8_t> rows) {
    b.Send(StimulusRequest{id, 1, 0, first, Bytes{rows.data(), rows.size()}, false});
    return b.Code(id);
  };
  const auto play = [&](uint32_t id, bool loop) {
    b.Send(StimulusRequest{id, 2, 0, 0, {}, loop});
    return b.Code(id);
  };
  CHECK(play(1, false) == int(ReplyCode::kWrongState));
  CHECK(data(2, 0, {0, 0}) == int(ReplyCode::kWrongState));
  b.Send(StimulusRequest{3, 0, 21, 0, {}, false});
  CHECK(b.Code(3) == int(ReplyCode::kTooLarge));
  b.Send(StimulusRequest{4, 0, 3, 0, {}, false});
  CHECK(b.Code(4) == 0);
  CHECK(data(5, 1, {0xF0, 0xD8, 0x10, 0x27}) == 0);      // -100 %, 100 %
  CHECK(play(6, false) == int(ReplyCode::kWrongState));  // row 0 is missing
  CHECK(data(7, 0, {1}) == int(ReplyCode::kBadArguments));
  CHECK(data(8, 0, {0x11, 0x27}) == int(ReplyCode::kOutOfRange));  // 10001
  CHECK(data(9, 2, {0, 0, 0, 0}) == int(ReplyCode::kOutOfRange));
  CHECK(data(10, 0, {0xE8, 0x03}) == 0);  // 10 %
  CHECK(data(10, 0, {0xE8, 0x03}) == 0);
  b.Send(StimulusRequest{11, 9, 0, 0, {}, false});
  CHECK(b.Code(11) == int(ReplyCode::kOutOfRange));
  b.Send(Start{12, 5});
  CHECK(b.Code(12) == 0);
  CHECK(play(13, true) == 0);
  b.messages.clear();
  b.Steps(10);
  const std::vector<Block> blocks = b.Take<Block>();
  REQUIRE(blocks.size() == 2);
  const auto channel = [&](const Block& block, int c, int k) {
    return SamplesOf(block).at(static_cast<size_t>(c * block.n + k));
  };
  const int want[] = {10, -100, 100, 10, -100};
  for (int k = 0; k < 5; ++k) CHECK(channel(blocks[0], 1, k) == want[k]);
  CHECK(channel(blocks[0], 7, 0) == 1);
  CHECK(channel(blocks[0], 7, 1) == 0);
  CHECK(channel(blocks[0], 7, 3) == 1);
  std::vector<Event> events = b.Take<Event>();
  REQUIRE(events.size() == 4);  // loops begin at 0, 3, 6 and 9
  CHECK(events[1].kind == 1);
  CHECK(events[1].index == events[0].index + 1);
  CHECK(events[1].value == 1);
  CHECK(events[1].step == events[0].step + 3);
  b.Send(StimulusRequest{14, 3, 0, 0, {}, false});
  b.Steps(1);
  events = b.Take<Event>();
  REQUIRE(events.size() >= 1);
  bool ended = false;
  for (const Event& event : events) ended = ended || (event.kind == 4 && event.index == 4);
  CHECK(ended);
}

TEST_CASE("reset: the state, the parameters, or everything; no other scope") {
  Bench b;
  b.Send(SetRequest(1).Add(b.Index("i_clamp"), 30).Add(b.Index("step_us"), 200).Message());
  b.Steps(50);
  b.Send(Reset{2, 0});
  CHECK(b.Value("i_clamp") == 30);
  b.Send(Reset{3, 1});
  CHECK(b.Value("i_clamp") == 0);
  CHECK(b.Value("step_us") == 100);
  b.messages.clear();
  b.Send(Reset{4, 3});
  CHECK(b.Code(4) == int(ReplyCode::kOutOfRange));
  b.Send(Reset{5, 2});
  CHECK(b.Code(5) == 0);
  REQUIRE(b.device.reboot_wanted());
  b.device.Boot(78);
  b.Pump();
  const std::vector<Hello> hellos = b.Take<Hello>();
  REQUIRE(hellos.size() == 1);
  CHECK(hellos[0].seq == 0);
  CHECK(hellos[0].boot_id == 78);
  CHECK(b.device.step() == 0);
}

TEST_CASE("unknown and impossible requests: refused where they carry an id, counted where not") {
  Bench b;
  b.Send(Resend{1, 0, 3});
  CHECK(b.Code(1) == int(ReplyCode::kUnsupported));
  b.SendBytes({0x92, 55, 9});
  CHECK(b.Code(9) == int(ReplyCode::kUnknownRequest));
  b.SendBytes({0x91, 55});
  b.SendBytes({0x92, 3, 9});  // a device's message
  b.SendBytes({0x91, 35});
  b.SendBytes({0xC0});
  CHECK(b.messages.empty());
  b.SendBytes({0x92, 35, 4});  // an id and nothing else
  CHECK(b.Code(4) == int(ReplyCode::kBadArguments));
  b.Steps(10000);  // a second
  const std::vector<StatusMessage> status = b.Take<StatusMessage>();
  REQUIRE(status.size() == 1);
  CHECK(status[0].bad_frames == 2);
  CHECK(status[0].cpu_permille == 7);
}

TEST_CASE("a host that reads slowly gets overruns that add up, and every event a number") {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    Bench b;
    b.Send(SetRequest(1).Add(b.Index("i_clamp"), 20).Message());
    b.Send(Start{2, 10});
    b.messages.clear();
    uint32_t lcg = seed;
    b.board.room = 0;
    for (int k = 0; k < 3000; ++k) {
      lcg = lcg * 1664525u + 1013904223u;
      if (k % 100 == 0) b.board.room += lcg >> 23;  // less than is made, on the average
      b.Steps(1);
    }
    b.board.room = SIZE_MAX;
    b.Pump();
    b.Steps(1);
    b.Send(Stop{3});
    uint32_t seq = 0, overrun = 0;
    uint64_t samples = 0;
    for (const std::vector<uint8_t>& bytes : b.messages) {
      Reader r(bytes.data(), bytes.size());
      uint8_t type;
      uint32_t n;
      uint64_t now;
      REQUIRE(ReadType(r, &type, &n) == Status::kOk);
      REQUIRE(r.Unsigned(UINT32_MAX, &now) == Status::kOk);
      CHECK((seq == 0 || now == seq + 1));
      seq = static_cast<uint32_t>(now);
    }
    for (const Event& event : b.Take<Event>()) overrun += event.kind == 3 ? event.index : 0;
    for (const Block& block : b.Take<Block>()) samples += block.n;
    CHECK(overrun > 0);
    CHECK(overrun == b.device.sampler().overrun_samples());
    CHECK(samples + overrun == 3001);
  }
}

TEST_CASE("self-test: each input once, then out of range") {
  Bench b;
  b.Send(HelloRequest{1, 1});
  CHECK((b.Take<Hello>().at(0).traits & kTraitSelfTest) != 0);
  b.Send(SelfTest{7, 0});
  const std::vector<uint8_t> first = {0x95, 0xAA, 'p',  'h',  'o',  't',  'o',  'd',  'i',  'o',  'd', 'e', 0xD2,
                                      0xFF, 0xFE, 0xEE, 0x90, 0xCA, 0x3F, 0xC0, 0x00, 0x00, 0xA1, 'V', 0x00};
  std::vector<Reply> replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].request_id == 7);
  CHECK(replies[0].code == 0);
  CHECK(std::vector<uint8_t>(replies[0].value.data, replies[0].value.data + replies[0].value.size) == first);
  b.Send(SelfTest{8, 1});
  replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].value.data[replies[0].value.size - 5] == 0xCE);  // 100000 us, a u32
  b.Send(SelfTest{9, 2});
  CHECK(b.Code(9) == int(ReplyCode::kOutOfRange));
  b.Send(SelfTest{10, 255});
  CHECK(b.Code(10) == int(ReplyCode::kOutOfRange));
}

TEST_CASE("self-test: asked again it answers again, and what was done before stays done once") {
  Bench b;
  SetRequest request(1);
  const Set set = request.Add(b.Index("i_clamp"), 5).Message();
  b.Send(set);
  CHECK(b.Code(1) == 0);
  for (int k = 0; k < 3; ++k) {
    b.Send(SelfTest{2, 1});
    CHECK(b.Code(2) == 0);
  }
  b.device.parameters().Set(b.Index("i_clamp"), false, 9);
  b.Send(set);  // the last request that changed something: answered, not done again
  CHECK(b.Code(1) == 0);
  CHECK(b.Value("i_clamp") == 9);
}

TEST_CASE("self-test: a board that cannot says so in its hello and when asked") {
  Bench b;
  b.board.n_probes = 0;
  b.Send(HelloRequest{1, 1});
  CHECK((b.Take<Hello>().at(0).traits & kTraitSelfTest) == 0);
  b.Send(SelfTest{3, 0});
  CHECK(b.Code(3) == int(ReplyCode::kUnsupported));
  b.SendBytes({0x92, 42, 4});  // no index
  CHECK(b.Code(4) == int(ReplyCode::kBadArguments));
}

TEST_CASE("self-test: the longest names still make an answer") {
  Bench b;
  const std::string text(200, 'x');
  CHECK(command::kMaxProbeNameBytes < text.size());
  b.board.probe_name = text.c_str();
  b.Send(SelfTest{5, 0});
  const std::vector<Reply> replies = b.Take<Reply>();
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].code == 0);
  CHECK(replies[0].value.size == 1 + 2 + 48 + 5 + 5 + 2 + 1);
}
