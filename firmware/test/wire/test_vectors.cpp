// The golden vectors of protocol/vectors, the same that Python's tests read.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <deque>

#include "hex.h"
#include "sampling/block_encoder.h"
#include "vectors.h"
#include "wire/cobs.h"
#include "wire/crc32.h"
#include "wire/frame.h"
#include "wire/message_codec.h"
#include "wire/packed.h"

using namespace spikedaq;
using namespace spikedaq::wire;
using testing::FromHex;
using testing::ToHex;
using vectors::Value;

namespace {

using Values = std::vector<Value>;

double Number(const Value& v) { return std::stod(v.text); }

// Compares one msgpack item with values.
bool SameItem(Reader& r, const Values& values, size_t* at) {
  const Value& v = values.at((*at)++);
  bool negative = false, truth = false;
  uint64_t bits = 0;
  uint32_t n = 0;
  float number = 0;
  Text text;
  Bytes bytes;
  switch (v.kind) {
    case 'n':
      return r.TakeNil();
    case 'b':
      return r.Bool(&truth) == Status::kOk && truth == (v.text == "1");
    case 'i':
      if (r.Integer(&negative, &bits) != Status::kOk || negative != (v.text[0] == '-')) return false;
      return (negative ? std::to_string(static_cast<int64_t>(bits)) : std::to_string(bits)) == v.text;
    case 'f':
      return r.Float(&number) == Status::kOk && number == static_cast<float>(Number(v));
    case 's':
      if (r.String(&text) != Status::kOk) return false;
      return ToHex(reinterpret_cast<const uint8_t*>(text.data), text.size) == v.text;
    case 'x':
      return r.Binary(&bytes) == Status::kOk && ToHex(bytes.data, bytes.size) == v.text;
    default:
      if (r.Array(&n) != Status::kOk) return false;
      for (uint32_t k = 0; k < n; ++k) {
        if (values.at(*at).kind == ']' || !SameItem(r, values, at)) return false;
      }
      return values.at((*at)++).kind == ']';
  }
}

void WriteItem(Writer& w, const Values& values, size_t* at) {
  const Value& v = values.at((*at)++);
  const std::vector<uint8_t> bytes = v.kind == 's' || v.kind == 'x' ? FromHex(v.text) : std::vector<uint8_t>();
  switch (v.kind) {
    case 'n':
      return w.Nil();
    case 'b':
      return w.Bool(v.text == "1");
    case 'i':
      return v.text[0] == '-' ? w.Signed(std::stoll(v.text)) : w.Unsigned(std::stoull(v.text));
    case 'f':
      return w.Float(static_cast<float>(Number(v)));
    case 's':
      return w.String(Text{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    case 'x':
      return w.Binary(Bytes{bytes.data(), bytes.size()});
    default:
      break;
  }
  uint32_t n = 0;
  int depth = 0;
  for (size_t k = *at; depth > 0 || values.at(k).kind != ']'; ++k) {
    if (depth == 0) ++n;
    depth += values[k].kind == '[' ? 1 : (values[k].kind == ']' ? -1 : 0);
  }
  w.Array(n);
  while (n-- > 0) WriteItem(w, values, at);
  ++*at;
}

/// Compares decoded fields with those of a vector, in order.
struct FieldChecker {
  const Values& values;
  size_t at = 0;
  bool same = true;

  void Check(bool ok) { same = same && ok; }
  const Value& Next() { return values.at(at++); }
  template <class T>
  void Optional(const T& value) {
    (*this)(value);
  }
  template <class T>
  void operator()(const T& value) {
    Check(Next().text == std::to_string(value));
  }
  void operator()(const float& value) { Check(static_cast<float>(Number(Next())) == value); }
  void operator()(const bool& value) { Check(Next().text == (value ? "1" : "0")); }
  void operator()(const Text& value) {
    Check(Next().text == ToHex(reinterpret_cast<const uint8_t*>(value.data), value.size));
  }
  void operator()(const Bytes& value) { Check(Next().text == ToHex(value.data, value.size)); }
  void operator()(const Raw& value) {
    Reader r(value.data, value.size);
    Check(SameItem(r, values, &at) && r.left() == 0);
  }
  template <class Body>
  void Nested(const Body& body) {
    Check(Next().kind == '[');
    Body::Fields(*this, body);
    for (int depth = 1; depth > 0;) {  // to the end of the body, past fields that are not known
      const char kind = Next().kind;
      depth += kind == '[' ? 1 : (kind == ']' ? -1 : 0);
    }
  }
};

/// Fills a message from a vector, in order. Texts live as long as the filler.
struct FieldFiller {
  const Values& values;
  size_t at = 0;
  std::deque<std::vector<uint8_t>> store = {};

  const Value& Next() { return values.at(at++); }
  const std::vector<uint8_t>& Keep(std::vector<uint8_t> bytes) {
    store.push_back(std::move(bytes));
    return store.back();
  }
  template <class T>
  void Optional(T& value) {
    (*this)(value);
  }
  template <class T>
  void operator()(T& value) {
    const std::string& text = Next().text;
    value = text[0] == '-' ? static_cast<T>(std::stoll(text)) : static_cast<T>(std::stoull(text));
  }
  void operator()(float& value) { value = static_cast<float>(Number(Next())); }
  void operator()(bool& value) { value = Next().text == "1"; }
  void operator()(Text& value) {
    const std::vector<uint8_t>& bytes = Keep(FromHex(Next().text));
    value = Text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void operator()(Bytes& value) {
    const std::vector<uint8_t>& bytes = Keep(FromHex(Next().text));
    value = Bytes{bytes.data(), bytes.size()};
  }
  void operator()(Raw& value) {
    std::vector<uint8_t> bytes(kMaxDeviceFrameBytes);
    Writer w(bytes.data(), bytes.size());
    WriteItem(w, values, &at);
    bytes.resize(w.size());
    const std::vector<uint8_t>& kept = Keep(bytes);
    value = Raw{kept.data(), kept.size()};
  }
  template <class Body>
  void Nested(Body& body) {
    Next();
    Body::Fields(*this, body);
    Next();
  }
};

/// What a host makes of a description whose kind it does not know: any array.
struct AnyDescription {
  static constexpr MessageType kType = MessageType::kDescription;
  uint32_t seq, request_id;
  uint8_t kind, index;
  Raw body;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.request_id), v(m.kind), v(m.index), v(m.body);
  }
};
bool WithinBounds(const AnyDescription& m) {
  uint32_t n = 0;
  return Reader(m.body.data, m.body.size).Array(&n) == Status::kOk;
}

/// Decodes a message as what it is; for valid vectors compares its fields, and encodes them again.
template <class M>
std::string Examine(Bytes bytes, const char* name, const vectors::Message* vector) {
  M message = {};
  const Status status = Decode(bytes, &message);
  if (status != Status::kOk) return status == Status::kMalformed ? "malformed" : "another type";
  if (vector == nullptr || !vector->valid) return name;
  CHECK(vector->name == name);
  FieldChecker checker{vector->fields};
  M::Fields(checker, message);
  CHECK(checker.same);
  CHECK(checker.at == vector->fields.size());
  if (!vector->canonical) return name;

  M filled = {};
  FieldFiller filler{vector->fields};
  M::Fields(filler, filled);
  std::vector<uint8_t> scratch(kMaxDeviceFrameBytes), frame(FrameBound(kMaxDeviceFrameBytes));
  Writer w(scratch.data(), scratch.size() - kCrcBytes);
  Encode(filled, w);
  CHECK(w.ok());
  frame.resize(EncodeFrame(scratch.data(), w.size(), frame.data()));
  CHECK(ToHex(frame) == vector->frame);
  return name;
}

std::string ExamineAny(Bytes bytes, const vectors::Message* vector) {
  Reader r(bytes.data, bytes.size);
  uint8_t type = 0;
  uint32_t n = 0;
  Raw whole;
  Reader all(bytes.data, bytes.size);
  if (ReadType(r, &type, &n) != Status::kOk) return "malformed";
  if (all.Item(&whole) != Status::kOk || all.left() != 0) return "malformed";
  switch (static_cast<MessageType>(type)) {
    case MessageType::kHello:
      return Examine<Hello>(bytes, "hello", vector);
    case MessageType::kDescription: {
      AnyDescription any = {};
      if (Decode(bytes, &any) != Status::kOk) return "malformed";
      // A body that a later version has made longer is read by its known fields, but only written as a whole.
      const std::string name = Examine<AnyDescription>(bytes, "description", vector);
      vectors::Message no_encoding;
      if (vector != nullptr) no_encoding = *vector;
      if (vector != nullptr && vector->id == "description-body-longer") {
        no_encoding.canonical = false;
        vector = &no_encoding;
      }
      if (any.kind == 0 || any.kind == 3) return Examine<Description<Channel>>(bytes, "description", vector);
      if (any.kind == 1) return Examine<Description<Parameter>>(bytes, "description", vector);
      if (any.kind == 2) return Examine<Description<PresetBody>>(bytes, "description", vector);
      return name;
    }
    case MessageType::kBlock:
      return Examine<Block>(bytes, "block", vector);
    case MessageType::kEvent:
      return Examine<Event>(bytes, "event", vector);
    case MessageType::kPong:
      return Examine<Pong>(bytes, "pong", vector);
    case MessageType::kReply:
      return Examine<Reply>(bytes, "reply", vector);
    case MessageType::kStatus:
      return Examine<StatusMessage>(bytes, "status", vector);
    case MessageType::kLog:
      return Examine<Log>(bytes, "log", vector);
    case MessageType::kHelloRequest:
      return Examine<HelloRequest>(bytes, "hello?", vector);
    case MessageType::kDescribe:
      return Examine<Describe>(bytes, "describe", vector);
    case MessageType::kPing:
      return Examine<Ping>(bytes, "ping", vector);
    case MessageType::kGet:
      return Examine<Get>(bytes, "get", vector);
    case MessageType::kSet:
      return Examine<Set>(bytes, "set", vector);
    case MessageType::kStart:
      return Examine<Start>(bytes, "start", vector);
    case MessageType::kStop:
      return Examine<Stop>(bytes, "stop", vector);
    case MessageType::kStimulus:
      return Examine<StimulusRequest>(bytes, "stimulus", vector);
    case MessageType::kResend:
      return Examine<Resend>(bytes, "resend", vector);
    case MessageType::kReset:
      return Examine<Reset>(bytes, "reset", vector);
    case MessageType::kSelfTest:
      return Examine<SelfTest>(bytes, "self_test", vector);
  }
  return "unknown_type";
}

/// What a receiver makes of bytes: names of messages, and bad:<reason>.
std::vector<std::string> Receive(const std::vector<uint8_t>& bytes, const vectors::Message* vector) {
  const char* const reasons[] = {"cobs", "short", "crc", "malformed", "oversize"};
  std::vector<uint8_t> memory(CobsBound(kMaxDeviceFrameBytes));
  FrameDecoder decoder(memory.data(), kMaxDeviceFrameBytes);
  std::vector<std::string> got;
  for (const uint8_t byte : bytes) {
    const FrameDecoder::Result result = decoder.Take(byte);
    if (result == FrameDecoder::Result::kBad) got.push_back(std::string("bad:") + reasons[size_t(decoder.reason())]);
    if (result != FrameDecoder::Result::kMessage) continue;
    const std::string name = ExamineAny(decoder.message(), vector);
    got.push_back(name == "malformed" || name == "unknown_type" ? "bad:" + name : name);
  }
  return got;
}

/// The sampler's way: samples in, the payload of a block message out, in hex.
std::string EncodedPayload(size_t n, size_t n_channels, const std::vector<int>& samples, uint8_t codec) {
  std::vector<sampling::BlockHead> heads(2);
  std::vector<int16_t> values(2 * (n + 3) * n_channels);
  sampling::Sampler sampler(heads.data(), values.data(), 2, static_cast<uint16_t>(n + 3),
                            static_cast<uint8_t>(n_channels));
  sampler.Start(static_cast<uint16_t>(n));
  for (size_t k = 0; k < n; ++k) {
    std::vector<int16_t> row;
    for (size_t i = 0; i < n_channels; ++i) row.push_back(static_cast<int16_t>(samples[k * n_channels + i]));
    sampler.Push(k, 100 * k, 100, row.data(), false);
  }
  REQUIRE(sampler.closed() == 1);
  std::vector<uint8_t> message(n * n_channels * 3 + 100);
  Writer w(message.data(), message.size());
  CHECK(sampling::EncodeOldest(sampler, 5, w, static_cast<uint8_t>(1u << codec)) == codec);
  REQUIRE(w.ok());
  Block block;
  REQUIRE(Decode(Bytes{w.data(), w.size()}, &block) == Status::kOk);
  CHECK(block.n == n);
  CHECK(block.codec == codec);
  return ToHex(block.payload.data, block.payload.size);
}

}  // namespace

TEST_CASE("vectors: cobs.json") {
  size_t ran = 0;
  for (const vectors::Cobs& c : vectors::AllCobs()) {
    CAPTURE(c.id);
    const std::vector<uint8_t> encoded = FromHex(c.encoded);
    std::vector<uint8_t> decoded(encoded.size() + 1);
    size_t size = 0;
    const Status status = CobsDecode(encoded.data(), encoded.size(), decoded.data(), &size);
    CHECK((status == Status::kOk) == c.valid);
    if (c.valid) {
      CHECK(ToHex(decoded.data(), size) == c.plain);
      const std::vector<uint8_t> plain = FromHex(c.plain);
      std::vector<uint8_t> again(CobsBound(plain.size()));
      again.resize(CobsEncode(plain.data(), plain.size(), again.data()));
      // An encoder adds no trailing empty group; a decoder accepts one.
      const bool has_trailing_group = c.encoded.size() == 2 * again.size() + 2;
      CHECK(ToHex(again) + (has_trailing_group ? "01" : "") == c.encoded);
    }
    ++ran;
  }
  std::printf("cobs.json: %zu vectors\n", ran);
  CHECK(ran > 0);
}

TEST_CASE("vectors: crc32.json") {
  size_t ran = 0;
  for (const vectors::Crc& c : vectors::AllCrc()) {
    CAPTURE(c.id);
    const std::vector<uint8_t> data = FromHex(c.data);
    char text[9];
    std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(Crc32(data.data(), data.size())));
    CHECK((c.crc == text) == c.valid);
    ++ran;
  }
  std::printf("crc32.json: %zu vectors\n", ran);
  CHECK(ran > 0);
}

TEST_CASE("vectors: messages.json") {
  size_t ran = 0;
  for (const vectors::Message& c : vectors::AllMessage()) {
    CAPTURE(c.id);
    const std::vector<std::string> got = Receive(FromHex(c.frame), &c);
    REQUIRE(got.size() == 1);
    CHECK(got[0] == (c.valid ? c.name : "bad:" + c.reason));
    ++ran;
  }
  std::printf("messages.json: %zu vectors\n", ran);
  CHECK(ran > 0);
}

TEST_CASE("vectors: block_raw.json") {
  size_t ran = 0, written = 0;
  for (const vectors::BlockRaw& c : vectors::AllBlockRaw()) {
    CAPTURE(c.id);
    ++ran;
    const bool plausible = c.n > 0 && c.payload.size() == 4 * c.n * c.n_channels;
    CHECK(plausible == c.valid);
    if (!c.valid || c.n > 255) continue;
    CHECK(EncodedPayload(c.n, c.n_channels, c.samples, kCodecRaw) == c.payload);
    ++written;
  }
  std::printf("block_raw.json: %zu vectors, %zu of them written\n", ran, written);
  CHECK(written > 0);
}

TEST_CASE("vectors: block_packed.json") {
  size_t ran = 0, written = 0;
  for (const vectors::BlockPacked& c : vectors::AllBlockPacked()) {
    CAPTURE(c.id);
    ++ran;
    const std::vector<uint8_t> payload = FromHex(c.payload);
    std::vector<int16_t> values(c.n * c.n_channels);  // channel by channel
    const Status status = UnpackBlock(Bytes{payload.data(), payload.size()}, static_cast<uint16_t>(c.n),
                                      static_cast<uint8_t>(c.n_channels), values.data());
    CHECK((status == Status::kOk) == c.valid);
    if (!c.valid) continue;
    REQUIRE(c.samples.size() == values.size());
    for (size_t k = 0; k < values.size(); ++k) {
      REQUIRE(values[k % c.n_channels * c.n + k / c.n_channels] == c.samples[k]);
    }
    if (!c.canonical) continue;
    CHECK(EncodedPayload(c.n, c.n_channels, c.samples, kCodecPacked) == c.payload);
    ++written;
  }
  std::printf("block_packed.json: %zu vectors, %zu of them written\n", ran, written);
  CHECK(ran >= 70);
  CHECK(written >= 42);
}

TEST_CASE("vectors: streams.json") {
  size_t ran = 0;
  for (const vectors::Stream& c : vectors::AllStream()) {
    CAPTURE(c.id);
    CHECK(Receive(FromHex(c.bytes), nullptr) == c.expect);
    ++ran;
  }
  std::printf("streams.json: %zu vectors\n", ran);
  CHECK(ran > 0);
}
