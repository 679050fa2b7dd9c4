#include "command/dispatcher.h"

#include <string.h>

#include "command/channels.h"
#include "neuron/presets.h"
#include "wire/crc32.h"
#include "wire/message_codec.h"

namespace spikedaq {
namespace command {
namespace {

using wire::MessageType;
using wire::ReplyCode;
using wire::TextOf;

// Widths in bytes of the first fields of each request, all of them unsigned numbers: what messages.h says once more,
// for a small processor, which has no room for a decoder of each message. What follows them is read by their handler.
constexpr uint8_t kFirstRequest = static_cast<uint8_t>(MessageType::kHelloRequest);
constexpr uint8_t kNumbers = 3;
struct Widths {
  uint8_t of[kNumbers];
};
constexpr Widths kWidths[] SPIKEDAQ_FLASH = {
    {{1, 1, 0}},  // hello?: major, minor
    {{4, 1, 1}},  // describe: id, kind, index
    {{4, 0, 0}},  // ping: token
    {{4, 1, 0}},  // get: id, index
    {{4, 0, 0}},  // set: id; pairs
    {{4, 2, 0}},  // start: id, block_samples
    {{4, 0, 0}},  // stop: id
    {{4, 1, 0}},  // stimulus: id, operation; more
    {{4, 4, 2}},  // resend: id, first_seq, count
    {{4, 1, 0}},  // reset: id, scope
    {{4, 1, 0}},  // self_test: id, index
};
constexpr uint8_t kRequests = sizeof kWidths / sizeof kWidths[0];

// Reasons of refusals.
constexpr char kUnknownRequest[] SPIKEDAQ_FLASH = "this device does not know the request";
constexpr char kBadField[] SPIKEDAQ_FLASH = "a field is missing or of the wrong type";
constexpr char kNoHistory[] SPIKEDAQ_FLASH = "this device keeps no frames to send again";
constexpr char kNoCount[] SPIKEDAQ_FLASH = "the count must be 1 or more";
constexpr char kNoSuchItem[] SPIKEDAQ_FLASH = "there is no such channel, parameter or preset";
constexpr char kNoSuchParameter[] SPIKEDAQ_FLASH = "there is no parameter of that index";
constexpr char kBadPairs[] SPIKEDAQ_FLASH = "the pairs are not [index, number or nil, ...]";
constexpr char kBlockTooLarge[] SPIKEDAQ_FLASH = "a block of that many samples does not fit a frame";
constexpr char kNoWaveformMemory[] SPIKEDAQ_FLASH = "this device has no waveform memory";
constexpr char kTooManyRows[] SPIKEDAQ_FLASH = "the waveform has too many rows";
constexpr char kNotBegun[] SPIKEDAQ_FLASH = "stimulus data must follow a begin";
constexpr char kHalfARow[] SPIKEDAQ_FLASH = "a row is two bytes";
constexpr char kBadRow[] SPIKEDAQ_FLASH = "a row or its value is outside the waveform";
constexpr char kIncomplete[] SPIKEDAQ_FLASH = "the waveform is not complete";
constexpr char kNoSuchOperation[] SPIKEDAQ_FLASH = "stimulus has no such operation";
constexpr char kNoSuchScope[] SPIKEDAQ_FLASH = "reset has no such scope";
constexpr char kNoSelfTest[] SPIKEDAQ_FLASH = "this board cannot test itself";
constexpr char kNoSuchInput[] SPIKEDAQ_FLASH = "there is no input of that index";
// Follow the name of a parameter.
constexpr char kCannotBeSet[] SPIKEDAQ_FLASH = " cannot be set";
constexpr char kNotInRange[] SPIKEDAQ_FLASH = " is outside its range, or not a whole number where it must be one";

}  // namespace

wire::Writer Dispatcher::Begin(MessageType type, uint8_t n_fields, uint32_t request_id) {
  wire::Writer w = transmitter_->Begin(type, static_cast<uint8_t>(n_fields + 1));
  w.Unsigned32(request_id);
  return w;
}

wire::Writer Dispatcher::BeginReply(uint32_t request_id, ReplyCode code) {
  wire::Writer w = Begin(MessageType::kReply, 2, request_id);
  w.Unsigned8(static_cast<uint8_t>(code));
  return w;
}

void Dispatcher::Answer(uint32_t request_id, bool has_value, uint64_t value) {
  wire::Writer w = BeginReply(request_id, ReplyCode::kOk);
  if (has_value) {
    w.Unsigned(value);
  } else {
    w.Nil();
  }
  transmitter_->Commit(w);
}

void Dispatcher::Done(uint32_t request_id, bool has_value, uint64_t value) {
  last_ = Last{true, crc_, has_value, value};
  Answer(request_id, has_value, value);
}

void Dispatcher::Refuse(uint32_t request_id, ReplyCode code, flash::Text why, int16_t parameter) {
  wire::Writer w = BeginReply(request_id, code);
  const size_t why_size = why.Size();
  if (parameter < 0) {
    w.StringHead(why_size);
  } else {
    NameParameter(w, static_cast<uint8_t>(parameter), why_size);
  }
  uint8_t* to = w.Claim(why_size);
  if (to != nullptr) why.CopyTo(to);
  transmitter_->Commit(w);
}

// A function of its own, so that the memory for the name is needed no longer than that.
void Dispatcher::NameParameter(wire::Writer& w, uint8_t index, size_t rest_size) {
  const ParameterSpec spec = parameters_->Spec(index);
  const wire::Text name = TextOf(spec.name);
  w.StringHead(name.size + rest_size);
  w.Item(wire::Raw{reinterpret_cast<const uint8_t*>(name.data), name.size});
}

Status Dispatcher::Handle(wire::Bytes message) {
  crc_ = wire::Crc32(message.data, message.size);
  wire::Reader reader(message.data, message.size);
  uint8_t type = 0;
  uint32_t n = 0;
  if (wire::ReadType(reader, &type, &n) != Status::kOk) return Status::kMalformed;
  const uint8_t request = static_cast<uint8_t>(type - kFirstRequest);
  Request r = {static_cast<MessageType>(type), {}, {nullptr, 0}};
  uint8_t n_read = 0;
  Status status = Status::kOk;
  if (request < kRequests) {
    const Widths widths = flash::Read(kWidths[request]);
    for (; n_read < kNumbers && widths.of[n_read] != 0; ++n_read) {
      const uint8_t bits = static_cast<uint8_t>(8 * widths.of[n_read]);
      if (n == 0 || reader.Unsigned32(UINT32_MAX >> (32 - bits), &r.number[n_read]) != Status::kOk) {
        status = Status::kMalformed;
        break;
      }
      --n;
    }
    if (status == Status::kOk) status = Route(reader, n, r);
  } else {
    status = Status::kUnknownType;
    if (n > 0 && reader.Unsigned32(UINT32_MAX, &r.number[0]) == Status::kOk) n_read = 1;
  }
  if (status == Status::kOk) return status;

  // What has a request id can be refused; the rest can only be counted.
  const bool has_id = type > kFirstRequest && type < 2 * kFirstRequest && r.type != MessageType::kPing && n_read > 0;
  if (!has_id) return status;
  if (status == Status::kUnknownType) {
    Refuse(r.number[0], ReplyCode::kUnknownRequest, {kUnknownRequest});
    return status;
  }
  Refuse(r.number[0], ReplyCode::kBadArguments, {kBadField});
  return Status::kOk;
}

// The rest of the fields, of which `n` are left: those that are known, and what a later version may have added.
Status Dispatcher::Route(wire::Reader& reader, uint32_t n, Request& r) {
  const uint32_t id = r.number[0];
  const uint8_t small = static_cast<uint8_t>(r.number[1]);
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  if (r.type == MessageType::kStimulus) {
    wire::StimulusRequest m = {};
    wire::FieldReader rest{reader, n};
    wire::StimulusRequest::MoreFields(rest, m, small);
    rest.SkipRest();
    if (rest.status != Status::kOk || reader.left() != 0) return Status::kMalformed;
    OnStimulus(id, small, m);
    return Status::kOk;
  }
#endif
  if (r.type == MessageType::kSet) {
    if (n == 0) return Status::kMalformed;
    if (reader.Item(&r.pairs) != Status::kOk) return Status::kMalformed;
    --n;
  }
  wire::Raw ignored;
  for (; n > 0; --n) {
    if (reader.Item(&ignored) != Status::kOk) return Status::kMalformed;
  }
  if (reader.left() != 0) return Status::kMalformed;

  switch (r.type) {
    case MessageType::kHelloRequest:
      last_.valid = false;  // perhaps a new host, whose request ids start again
      target_->SendHello();
      break;
    case MessageType::kPing:
      OnPing(id);
      break;
    case MessageType::kDescribe:
      OnDescribe(id, small, static_cast<uint8_t>(r.number[2]));
      break;
    case MessageType::kGet:
      OnGet(id, small);
      break;
    case MessageType::kResend:
      OnResend(id, r.number[1], static_cast<uint16_t>(r.number[2]));
      break;
    case MessageType::kSelfTest:
      OnSelfTest(id, small);
      break;
    case MessageType::kStop:
      OnStop(id);
      break;
    default:
      // These change something, and are not done twice.
      if (last_.valid && last_.crc == crc_) {
        Answer(id, last_.has_value, last_.value);
      } else if (r.type == MessageType::kSet) {
        OnSet(id, r.pairs);
      } else if (r.type == MessageType::kStart) {
        OnStart(id, static_cast<uint16_t>(r.number[1]));
      } else if (r.type == MessageType::kReset) {
        OnReset(id, small);
      } else {
        Refuse(id, ReplyCode::kUnsupported, {kNoWaveformMemory});
      }
      break;
  }
  return Status::kOk;
}

void Dispatcher::OnPing(uint32_t token) {
  wire::Writer w = Begin(MessageType::kPong, 2, token);
  w.Unsigned(target_->Tick());
  w.Unsigned(target_->step());
  transmitter_->Commit(w);
}

void Dispatcher::Describe(wire::Writer& w, const ChannelRow& row) {
  w.Array(5);
  w.String(TextOf(row.name));
  w.String(TextOf(row.unit));
  w.Unsigned8(1);
  w.Signed32(row.scale_exponent);
  w.Unsigned8(0);
  transmitter_->Commit(w);
}

void Dispatcher::OnDescribe(uint32_t request_id, uint8_t kind, uint8_t index) {
  wire::Writer w = Begin(MessageType::kDescription, 3, request_id);
  w.Unsigned8(kind);
  w.Unsigned8(index);
  switch (static_cast<wire::DescriptionKind>(kind)) {
    case wire::DescriptionKind::kChannel:
      if (index >= kChannelCount) break;
      return Describe(w, ChannelOf(index));
    case wire::DescriptionKind::kParameter: {
      if (index >= parameters_->count()) break;
      const ParameterSpec s = parameters_->Spec(index);
      w.Array(9);
      w.String(TextOf(s.name));
      w.String(TextOf(s.unit));
      w.Unsigned8(static_cast<uint8_t>(s.type));
      const float numbers[4] = {s.minimum, s.maximum, s.default_value, parameters_->Value(index)};
      for (const float number : numbers) w.Float(number);
      w.Unsigned8(static_cast<uint8_t>(parameters_->holder(index)));
      w.Unsigned8(s.flags);
      transmitter_->Commit(w);
      return;
    }
    case wire::DescriptionKind::kPreset: {
      if (index >= kPresetCount) break;
      const Preset p = PresetOf(index);
      const float numbers[5] = {p.a, p.b, p.c, p.d, p.v_rest};
      w.Array(6);
      w.String(TextOf(p.name));
      for (const float number : numbers) w.Float(number);
      transmitter_->Commit(w);
      return;
    }
    case wire::DescriptionKind::kClampChannel:
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
      if (index >= kChannelCount) break;
      return Describe(w, ClampChannelOf(index));
#else
      break;
#endif
  }
  Refuse(request_id, ReplyCode::kOutOfRange, {kNoSuchItem});
}

void Dispatcher::OnGet(uint32_t request_id, uint8_t index) {
  if (index >= parameters_->count()) return Refuse(request_id, ReplyCode::kOutOfRange, {kNoSuchParameter});
  wire::Writer w = BeginReply(request_id, ReplyCode::kOk);
  w.Array(2);
  w.Float(parameters_->Value(index));
  w.Unsigned8(static_cast<uint8_t>(parameters_->holder(index)));
  transmitter_->Commit(w);
}

void Dispatcher::OnSet(uint32_t request_id, wire::Raw list) {
  uint8_t index = 0;
  bool hand_back = false;
  float value = 0;
  // Everything is checked before anything is set.
  wire::PairReader check(list);
  while (check.Next(&index, &hand_back, &value)) {
    const ReplyCode code = parameters_->Check(index, hand_back, value);
    if (code == ReplyCode::kOk) continue;
    if (index >= parameters_->count()) return Refuse(request_id, code, {kNoSuchParameter});
    return Refuse(request_id, code, {code == ReplyCode::kReadOnly ? kCannotBeSet : kNotInRange}, index);
  }
  if (check.status() != Status::kOk) return Refuse(request_id, ReplyCode::kBadArguments, {kBadPairs});
  wire::PairReader pairs(list);
  target_->HoldSteps();  // pairs of one request act in the same step
  while (pairs.Next(&index, &hand_back, &value)) parameters_->Set(index, hand_back, value);
  target_->ReleaseSteps();
  Done(request_id);
}

void Dispatcher::OnStart(uint32_t request_id, uint16_t block_samples) {
  uint64_t first_step = 0;
  const ReplyCode code = target_->Start(block_samples, &first_step);
  if (code != ReplyCode::kOk) return Refuse(request_id, code, {kBlockTooLarge});
  Done(request_id, true, first_step);
}

void Dispatcher::OnStop(uint32_t request_id) {
  if (stop_pending_ && stop_request_id_ == request_id) return;  // its answer is still to come
  if (stop_pending_) AnswerStop(target_->step());
  target_->Stop();
  stop_pending_ = true;
  stop_request_id_ = request_id;
  last_.valid = false;
}

void Dispatcher::AnswerStop(uint64_t next_step) {
  stop_pending_ = false;
  Answer(stop_request_id_, true, next_step);
}

#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
void Dispatcher::OnStimulus(uint32_t id, uint8_t operation, const wire::StimulusRequest& m) {
  if (last_.valid && last_.crc == crc_) return Answer(id, last_.has_value, last_.value);
  ReplyCode code = ReplyCode::kOk;
  switch (static_cast<wire::StimulusOperation>(operation)) {
    case wire::StimulusOperation::kBegin:
      if (waveform_->capacity() == 0) return Refuse(id, ReplyCode::kUnsupported, {kNoWaveformMemory});
      if (m.n_rows > waveform_->capacity()) return Refuse(id, ReplyCode::kTooLarge, {kTooManyRows});
      target_->ForgetWaveform();
      waveform_->Begin(m.n_rows);
      return Done(id);
    case wire::StimulusOperation::kData:
      code = waveform_->Data(m.first_row, m.rows);
      if (code == ReplyCode::kOk) return Done(id);
      if (code == ReplyCode::kWrongState) return Refuse(id, code, {kNotBegun});
      if (code == ReplyCode::kBadArguments) return Refuse(id, code, {kHalfARow});
      return Refuse(id, code, {kBadRow});
    case wire::StimulusOperation::kPlay:
      if (!waveform_->complete()) return Refuse(id, ReplyCode::kWrongState, {kIncomplete});
      target_->PlayWaveform(m.loop);
      return Done(id);
    case wire::StimulusOperation::kStop:
      target_->StopWaveform();
      return Done(id);
  }
  Refuse(id, ReplyCode::kOutOfRange, {kNoSuchOperation});
}
#endif

// Not remembered as the last request: asked again it is done again, for the frames may have been lost like the reply.
void Dispatcher::OnResend(uint32_t request_id, uint32_t first_seq, uint16_t count) {
  wire::History* history = transmitter_->history();
  if (history == nullptr || history->depth() == 0) return Refuse(request_id, ReplyCode::kUnsupported, {kNoHistory});
  if (count == 0) return Refuse(request_id, ReplyCode::kOutOfRange, {kNoCount});
  Answer(request_id, true, history->Request(first_seq, count));
}

void Dispatcher::OnReset(uint32_t request_id, uint8_t scope) {
  if (scope > 2) return Refuse(request_id, ReplyCode::kOutOfRange, {kNoSuchScope});
  if (scope < 2) target_->Reset(scope == 1);
  Done(request_id);
  if (scope == 2) target_->Reboot();
}

void Dispatcher::OnSelfTest(uint32_t request_id, uint8_t index) {
#ifdef SPIKEDAQ_WITHOUT_SELF_TEST
  static_cast<void>(index);
  Refuse(request_id, ReplyCode::kUnsupported, {kNoSelfTest});
#else
  Probe probe = {};
  if (!target_->ReadProbe(index, &probe)) {
    if (index == 0) return Refuse(request_id, ReplyCode::kUnsupported, {kNoSelfTest});
    return Refuse(request_id, ReplyCode::kOutOfRange, {kNoSuchInput});
  }
  if (probe.name.size > kMaxProbeNameBytes) probe.name.size = kMaxProbeNameBytes;
  if (probe.unit.size > kMaxProbeNameBytes) probe.unit.size = kMaxProbeNameBytes;
  wire::Writer w = BeginReply(request_id, ReplyCode::kOk);
  w.Array(5);
  w.String(probe.name);
  w.Signed32(probe.raw);
  w.Float(probe.value);
  w.String(probe.unit);
  w.Unsigned32(probe.period_us);
  transmitter_->Commit(w);
#endif
}

}  // namespace command
}  // namespace spikedaq
