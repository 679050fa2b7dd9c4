#include "command/dispatcher.h"

#include <string.h>

#include "command/channels.h"
#include "neuron/presets.h"
#include "wire/crc32.h"

namespace spikedaq {
namespace command {
namespace {

using wire::MessageType;
using wire::ReplyCode;
using wire::TextOf;

template <class Body>
wire::Description<Body> Describing(const wire::Describe& m, const Body& body) {
  return wire::Description<Body>{0, m.request_id, m.kind, m.index, body};
}

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

// Longest reason: a parameter's name and a sentence.
constexpr size_t kReasonBytes = 88;

}  // namespace

void Dispatcher::Answer(uint32_t request_id, bool has_value, uint64_t value) {
  uint8_t bytes[9];
  wire::Writer writer(bytes, sizeof bytes);
  if (has_value) {
    writer.Unsigned(value);
  } else {
    writer.Nil();
  }
  transmitter_->Send(wire::Reply{0, request_id, 0, {writer.data(), writer.size()}});
}

void Dispatcher::Done(uint32_t request_id) {
  last_ = Last{true, crc_, false, 0};
  Answer(request_id, false, 0);
}

void Dispatcher::Done(uint32_t request_id, uint64_t value) {
  last_ = Last{true, crc_, true, value};
  Answer(request_id, true, value);
}

void Dispatcher::Refuse(uint32_t request_id, ReplyCode code, flash::Text why, wire::Text what) {
  char reason[kReasonBytes];
  if (what.size > 0) memcpy(reason, what.data, what.size);
  const size_t n = what.size + why.CopyTo(reason + what.size, sizeof reason - what.size);
  uint8_t bytes[kReasonBytes + 2];
  wire::Writer writer(bytes, sizeof bytes);
  writer.String(wire::Text{reason, n});
  transmitter_->Send(wire::Reply{0, request_id, static_cast<uint8_t>(code), {writer.data(), writer.size()}});
}

Status Dispatcher::Handle(wire::Bytes message) {
  crc_ = wire::Crc32(message.data, message.size);
  const Status status = Route(message);
  if (status == Status::kOk) return status;

  // What has a request id can be refused; the rest can only be counted.
  wire::Reader reader(message.data, message.size);
  uint8_t type = 0;
  uint32_t n_fields = 0;
  uint64_t request_id = 0;
  if (wire::ReadType(reader, &type, &n_fields) != Status::kOk) return Status::kMalformed;
  const bool has_id = type >= 33 && type <= 63 && type != static_cast<uint8_t>(MessageType::kPing) && n_fields > 0 &&
                      reader.Unsigned(UINT32_MAX, &request_id) == Status::kOk;
  if (!has_id) return status;
  if (status == Status::kUnknownType) {
    Refuse(static_cast<uint32_t>(request_id), ReplyCode::kUnknownRequest, {kUnknownRequest});
  } else {
    Refuse(static_cast<uint32_t>(request_id), ReplyCode::kBadArguments, {kBadField});
  }
  return status == Status::kUnknownType ? status : Status::kOk;
}

Status Dispatcher::Route(wire::Bytes message) {
  wire::Reader reader(message.data, message.size);
  uint8_t type = 0;
  uint32_t n = 0;
  if (wire::ReadType(reader, &type, &n) != Status::kOk) return Status::kMalformed;
  Status status = Status::kOk;
  switch (static_cast<MessageType>(type)) {
    case MessageType::kHelloRequest: {
      wire::HelloRequest m;
      if ((status = DecodeFields(reader, n, &m)) != Status::kOk) break;
      last_.valid = false;  // perhaps a new host, whose request ids start again
      transmitter_->Send(target_->Hello());
      break;
    }
    case MessageType::kPing: {
      wire::Ping m;
      if ((status = DecodeFields(reader, n, &m)) != Status::kOk) break;
      transmitter_->Send(wire::Pong{0, m.token, target_->Tick(), target_->step()});
      break;
    }
    case MessageType::kDescribe: {
      wire::Describe m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnDescribe(m);
      break;
    }
    case MessageType::kGet: {
      wire::Get m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnGet(m);
      break;
    }
    case MessageType::kSet: {
      wire::Set m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnSet(m);
      break;
    }
    case MessageType::kStart: {
      wire::Start m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnStart(m);
      break;
    }
    case MessageType::kStop: {
      wire::Stop m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnStop(m);
      break;
    }
    case MessageType::kStimulus: {
      wire::StimulusRequest m = {};
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnStimulus(m);
      break;
    }
    case MessageType::kResend: {
      wire::Resend m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnResend(m);
      break;
    }
    case MessageType::kReset: {
      wire::Reset m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnReset(m);
      break;
    }
    case MessageType::kSelfTest: {
      wire::SelfTest m;
      if ((status = DecodeFields(reader, n, &m)) == Status::kOk) OnSelfTest(m);
      break;
    }
    default:
      status = Status::kUnknownType;
      break;
  }
  return status;
}

void Dispatcher::OnDescribe(const wire::Describe& m) {
  switch (static_cast<wire::DescriptionKind>(m.kind)) {
    case wire::DescriptionKind::kChannel:
      if (m.index >= kChannelCount) break;
      transmitter_->Send(Describing(m, ChannelOf(m.index).Description()));
      return;
    case wire::DescriptionKind::kParameter: {
      if (m.index >= parameters_->count()) break;
      const ParameterSpec s = parameters_->Spec(m.index);
      transmitter_->Send(
          Describing(m, wire::Parameter{TextOf(s.name), TextOf(s.unit), static_cast<uint8_t>(s.type), s.minimum,
                                        s.maximum, s.default_value, parameters_->Value(m.index),
                                        static_cast<uint8_t>(parameters_->holder(m.index)), s.flags}));
      return;
    }
    case wire::DescriptionKind::kPreset: {
      if (m.index >= kPresetCount) break;
      const Preset p = PresetOf(m.index);
      transmitter_->Send(Describing(m, wire::PresetBody{TextOf(p.name), p.a, p.b, p.c, p.d, p.v_rest}));
      return;
    }
    case wire::DescriptionKind::kClampChannel:
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
      if (m.index >= kChannelCount) break;
      transmitter_->Send(Describing(m, ClampChannelOf(m.index).Description()));
      return;
#else
      break;
#endif
  }
  Refuse(m.request_id, ReplyCode::kOutOfRange, {kNoSuchItem});
}

void Dispatcher::OnGet(const wire::Get& m) {
  if (m.index >= parameters_->count()) {
    return Refuse(m.request_id, ReplyCode::kOutOfRange, {kNoSuchParameter});
  }
  uint8_t bytes[8];
  wire::Writer writer(bytes, sizeof bytes);
  writer.Array(2);
  writer.Float(parameters_->Value(m.index));
  writer.Unsigned(static_cast<uint64_t>(parameters_->holder(m.index)));
  transmitter_->Send(wire::Reply{0, m.request_id, 0, {writer.data(), writer.size()}});
}

void Dispatcher::OnSet(const wire::Set& m) {
  if (last_.valid && last_.crc == crc_) return Answer(m.request_id, last_.has_value, last_.value);
  uint8_t index = 0;
  bool hand_back = false;
  float value = 0;
  // Everything is checked before anything is set.
  wire::PairReader check(m.pairs);
  while (check.Next(&index, &hand_back, &value)) {
    const ReplyCode code = parameters_->Check(index, hand_back, value);
    if (code == ReplyCode::kOk) continue;
    if (index >= parameters_->count()) {
      return Refuse(m.request_id, code, {kNoSuchParameter});
    }
    const flash::Text why = {code == ReplyCode::kReadOnly ? kCannotBeSet : kNotInRange};
    const ParameterSpec spec = parameters_->Spec(index);
    return Refuse(m.request_id, code, why, TextOf(spec.name));
  }
  if (check.status() != Status::kOk) {
    return Refuse(m.request_id, ReplyCode::kBadArguments, {kBadPairs});
  }
  wire::PairReader pairs(m.pairs);
  target_->HoldSteps();  // pairs of one request act in the same step
  while (pairs.Next(&index, &hand_back, &value)) parameters_->Set(index, hand_back, value);
  target_->ReleaseSteps();
  Done(m.request_id);
}

void Dispatcher::OnStart(const wire::Start& m) {
  if (last_.valid && last_.crc == crc_) return Answer(m.request_id, last_.has_value, last_.value);
  uint64_t first_step = 0;
  const ReplyCode code = target_->Start(m.block_samples, &first_step);
  if (code != ReplyCode::kOk) return Refuse(m.request_id, code, {kBlockTooLarge});
  Done(m.request_id, first_step);
}

void Dispatcher::OnStop(const wire::Stop& m) {
  if (stop_pending_ && stop_request_id_ == m.request_id) return;  // its answer is still to come
  if (stop_pending_) AnswerStop(target_->step());
  target_->Stop();
  stop_pending_ = true;
  stop_request_id_ = m.request_id;
  last_.valid = false;
}

void Dispatcher::AnswerStop(uint64_t next_step) {
  stop_pending_ = false;
  Answer(stop_request_id_, true, next_step);
}

void Dispatcher::OnStimulus(const wire::StimulusRequest& m) {
  if (last_.valid && last_.crc == crc_) return Answer(m.request_id, last_.has_value, last_.value);
  const uint32_t id = m.request_id;
  ReplyCode code = ReplyCode::kOk;
  switch (static_cast<wire::StimulusOperation>(m.operation)) {
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

// Not remembered as the last request: asked again it is done again, for the frames may have been lost like the reply.
void Dispatcher::OnResend(const wire::Resend& m) {
  wire::History* history = transmitter_->history();
  if (history == nullptr || history->depth() == 0) {
    return Refuse(m.request_id, ReplyCode::kUnsupported, {kNoHistory});
  }
  if (m.count == 0) {
    return Refuse(m.request_id, ReplyCode::kOutOfRange, {kNoCount});
  }
  Answer(m.request_id, true, history->Request(m.first_seq, m.count));
}

void Dispatcher::OnReset(const wire::Reset& m) {
  if (last_.valid && last_.crc == crc_) return Answer(m.request_id, last_.has_value, last_.value);
  if (m.scope > 2) return Refuse(m.request_id, ReplyCode::kOutOfRange, {kNoSuchScope});
  if (m.scope < 2) target_->Reset(m.scope == 1);
  Done(m.request_id);
  if (m.scope == 2) target_->Reboot();
}

void Dispatcher::OnSelfTest(const wire::SelfTest& m) {
  Probe probe = {};
  if (!target_->ReadProbe(m.index, &probe)) {
    if (m.index == 0) return Refuse(m.request_id, ReplyCode::kUnsupported, {kNoSelfTest});
    return Refuse(m.request_id, ReplyCode::kOutOfRange, {kNoSuchInput});
  }
  // Two texts of kMaxProbeNameBytes and their heads, an i32, an f32, a u32, and the head of the array.
  uint8_t bytes[2 * (kMaxProbeNameBytes + 2) + 5 + 5 + 5 + 1];
  if (probe.name.size > kMaxProbeNameBytes) probe.name.size = kMaxProbeNameBytes;
  if (probe.unit.size > kMaxProbeNameBytes) probe.unit.size = kMaxProbeNameBytes;
  wire::Writer writer(bytes, sizeof bytes);
  writer.Array(5);
  writer.String(probe.name);
  writer.Signed(probe.raw);
  writer.Float(probe.value);
  writer.String(probe.unit);
  writer.Unsigned(probe.period_us);
  transmitter_->Send(wire::Reply{0, m.request_id, 0, {writer.data(), writer.size()}});
}

}  // namespace command
}  // namespace spikedaq
