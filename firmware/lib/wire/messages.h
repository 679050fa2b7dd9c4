/// Every message of the protocol, once: the visitor of each struct names its fields in their order on the wire.
/// Source: protocol/README.md, sections 3 and 4.1.
#ifndef SPIKEDAQ_WIRE_MESSAGES_H_
#define SPIKEDAQ_WIRE_MESSAGES_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/msgpack.h"
#include "wire/status.h"

namespace spikedaq {
namespace wire {

constexpr uint8_t kProtocolMajor = 1;
constexpr uint8_t kProtocolMinor = 1;

enum class MessageType : uint8_t {
  kHello = 1,
  kDescription = 2,
  kBlock = 3,
  kEvent = 4,
  kPong = 5,
  kReply = 6,
  kStatus = 7,
  kLog = 8,
  kHelloRequest = 32,
  kDescribe = 33,
  kPing = 34,
  kGet = 35,
  kSet = 36,
  kStart = 37,
  kStop = 38,
  kStimulus = 39,
  kResend = 40,
  kReset = 41,
  kSelfTest = 42,
};

/// Section 3.3.
enum class ReplyCode : uint8_t {
  kOk = 0,
  kUnknownRequest = 1,
  kBadArguments = 2,
  kOutOfRange = 3,
  kUnsupported = 4,
  kWrongState = 5,
  kReadOnly = 6,
  kTooLarge = 7,
};

enum class DescriptionKind : uint8_t { kChannel = 0, kParameter = 1, kPreset = 2, kClampChannel = 3 };
enum class ParameterType : uint8_t { kFloat = 0, kInteger = 1, kBoolean = 2 };
enum class Holder : uint8_t { kKnob = 0, kHost = 1 };
enum class EventKind : uint8_t { kSpike = 0, kTrigger = 1, kParameter = 2, kOverrun = 3, kStimulusEnd = 4 };
enum class StimulusOperation : uint8_t { kBegin = 0, kData = 1, kPlay = 2, kStop = 3 };

constexpr uint8_t kParameterReadOnly = 1;  ///< Bits of a parameter's flags.
constexpr uint8_t kParameterHasKnob = 2;

constexpr uint8_t kBlockSaturated = 1;  ///< Bits of a block's flags.
constexpr uint8_t kBlockAfterOverrun = 2;
constexpr uint8_t kBlockAfterStart = 4;
constexpr uint8_t kBlockVoltageClamp = 8;

constexpr uint8_t kCodecRaw = 0;
constexpr uint8_t kCodecPacked = 1;
constexpr uint8_t kCodecs = 3;  ///< Those that this firmware writes, as in a hello.

constexpr uint8_t kTraitTranslated = 1;  ///< Bits of a hello's traits.
constexpr uint8_t kTraitVoltageClamp = 2;
constexpr uint8_t kTraitSelfTest = 4;

// ---- from device to host; field names are those of the tables

struct Hello {
  static constexpr MessageType kType = MessageType::kHello;
  uint32_t seq;
  uint8_t major, minor;
  Text firmware_version, build_hash, board;
  Bytes unique_id;
  uint32_t boot_id, step_us;
  uint16_t block_samples;
  uint8_t n_channels, n_parameters, n_presets;
  uint16_t resend_depth;
  uint32_t stimulus_capacity;
  uint8_t codecs;
  uint16_t max_request_bytes;
  bool running;
  uint8_t traits;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.major), v(m.minor), v(m.firmware_version), v(m.build_hash), v(m.board), v(m.unique_id), v(m.boot_id);
    v(m.step_us), v(m.block_samples), v(m.n_channels), v(m.n_parameters), v(m.n_presets), v(m.resend_depth);
    v(m.stimulus_capacity), v(m.codecs), v(m.max_request_bytes), v(m.running);
    v.Optional(m.traits);  // since 1.1
  }
};

struct Channel {
  static constexpr DescriptionKind kKind = DescriptionKind::kChannel;
  Text name, unit;
  int32_t scale_mantissa;
  int8_t scale_exponent;
  int32_t offset_mantissa;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.name), v(m.unit), v(m.scale_mantissa), v(m.scale_exponent), v(m.offset_mantissa);
  }
};

struct Parameter {
  static constexpr DescriptionKind kKind = DescriptionKind::kParameter;
  Text name, unit;
  uint8_t type;
  float minimum, maximum, default_value, value;
  uint8_t holder, flags;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.name), v(m.unit), v(m.type), v(m.minimum), v(m.maximum), v(m.default_value), v(m.value), v(m.holder);
    v(m.flags);
  }
};

struct PresetBody {
  static constexpr DescriptionKind kKind = DescriptionKind::kPreset;
  Text name;
  float a, b, c, d, v_rest;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.name), v(m.a), v(m.b), v(m.c), v(m.d), v(m.v_rest);
  }
};

template <class Body>
struct Description {
  static constexpr MessageType kType = MessageType::kDescription;
  uint32_t seq, request_id;
  uint8_t kind, index;
  Body body;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.request_id), v(m.kind), v(m.index), v.Nested(m.body);
  }
};

struct Block {
  static constexpr MessageType kType = MessageType::kBlock;
  uint32_t seq;
  uint8_t stream;
  uint64_t first_step;
  uint32_t first_tick, step_us;
  uint16_t n;
  uint8_t codec;
  Bytes payload;
  uint8_t flags;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.stream), v(m.first_step), v(m.first_tick), v(m.step_us), v(m.n), v(m.codec), v(m.payload), v(m.flags);
  }
};

struct Event {
  static constexpr MessageType kType = MessageType::kEvent;
  uint32_t seq;
  uint8_t kind;
  uint64_t step;
  uint32_t tick, index;
  float value;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.kind), v(m.step), v(m.tick), v(m.index), v(m.value);
  }
};

struct Pong {
  static constexpr MessageType kType = MessageType::kPong;
  uint32_t seq, token;
  uint64_t tick, step;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.token), v(m.tick), v(m.step);
  }
};

struct Reply {
  static constexpr MessageType kType = MessageType::kReply;
  uint32_t seq, request_id;
  uint8_t code;
  Raw value;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.request_id), v(m.code), v(m.value);
  }
};

struct StatusMessage {
  static constexpr MessageType kType = MessageType::kStatus;
  uint32_t seq;
  uint64_t tick, step;
  uint32_t overruns, overrun_samples, events_dropped;
  uint16_t queue_high_water;
  uint32_t resend_misses, bad_frames, saturated_samples;
  uint16_t cpu_permille;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.tick), v(m.step), v(m.overruns), v(m.overrun_samples), v(m.events_dropped), v(m.queue_high_water);
    v(m.resend_misses), v(m.bad_frames), v(m.saturated_samples), v(m.cpu_permille);
  }
};

struct Log {
  static constexpr MessageType kType = MessageType::kLog;
  uint32_t seq;
  uint8_t level;
  Text text;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.seq), v(m.level), v(m.text);
  }
};

// ---- from host to device

struct HelloRequest {
  static constexpr MessageType kType = MessageType::kHelloRequest;
  uint8_t major, minor;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.major), v(m.minor);
  }
};

struct Describe {
  static constexpr MessageType kType = MessageType::kDescribe;
  uint32_t request_id;
  uint8_t kind, index;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.kind), v(m.index);
  }
};

struct Ping {
  static constexpr MessageType kType = MessageType::kPing;
  uint32_t token;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.token);
  }
};

struct Get {
  static constexpr MessageType kType = MessageType::kGet;
  uint32_t request_id;
  uint8_t index;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.index);
  }
};

/// `pairs` is read with PairReader.
struct Set {
  static constexpr MessageType kType = MessageType::kSet;
  uint32_t request_id;
  Raw pairs;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.pairs);
  }
};

struct Start {
  static constexpr MessageType kType = MessageType::kStart;
  uint32_t request_id;
  uint16_t block_samples;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.block_samples);
  }
};

struct Stop {
  static constexpr MessageType kType = MessageType::kStop;
  uint32_t request_id;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id);
  }
};

/// Which fields follow `operation` depends on it; the others are zero.
struct StimulusRequest {
  static constexpr MessageType kType = MessageType::kStimulus;
  uint32_t request_id;
  uint8_t operation;
  uint32_t n_rows;     ///< begin
  uint32_t first_row;  ///< data
  Bytes rows;          ///< data; i16 little-endian in 0.01 %
  bool loop;           ///< play
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.operation);
    MoreFields(v, m, m.operation);
  }
  /// The fields that belong to an operation.
  template <class V, class M>
  static void MoreFields(V& v, M& m, uint8_t operation) {
    if (operation == static_cast<uint8_t>(StimulusOperation::kBegin)) v(m.n_rows);
    if (operation == static_cast<uint8_t>(StimulusOperation::kData)) v(m.first_row), v(m.rows);
    if (operation == static_cast<uint8_t>(StimulusOperation::kPlay)) v(m.loop);
  }
};

struct Resend {
  static constexpr MessageType kType = MessageType::kResend;
  uint32_t request_id, first_seq;
  uint16_t count;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.first_seq), v(m.count);
  }
};

struct Reset {
  static constexpr MessageType kType = MessageType::kReset;
  uint32_t request_id;
  uint8_t scope;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.scope);
  }
};

struct SelfTest {
  static constexpr MessageType kType = MessageType::kSelfTest;
  uint32_t request_id;
  uint8_t index;
  template <class V, class M>
  static void Fields(V& v, M& m) {
    v(m.request_id), v(m.index);
  }
};

}  // namespace wire
}  // namespace spikedaq

#endif  // SPIKEDAQ_WIRE_MESSAGES_H_
