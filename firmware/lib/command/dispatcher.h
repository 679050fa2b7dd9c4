/// Takes requests of the host apart and answers each once. Source: protocol/README.md, sections 3.2, 3.3 and 4.
#ifndef SPIKEDAQ_COMMAND_DISPATCHER_H_
#define SPIKEDAQ_COMMAND_DISPATCHER_H_

#include <stddef.h>
#include <stdint.h>

#include "command/channels.h"
#include "command/parameters.h"
#include "command/probe.h"
#include "command/waveform.h"
#include "flash/flash.h"
#include "wire/messages.h"
#include "wire/transmitter.h"

namespace spikedaq {
namespace command {

/// No answer is larger, so a request may be handled once this much room is in the transmitter.
#ifdef SPIKEDAQ_ANSWER_BYTES
constexpr size_t kAnswerBytes = SPIKEDAQ_ANSWER_BYTES;
#else
constexpr size_t kAnswerBytes = wire::kMaxHelloBytes;
#endif

/// What requests act on, besides parameters and waveform.
class Target {
 public:
  virtual void SendHello() = 0;
  virtual uint64_t Tick() = 0;
  virtual uint64_t step() const = 0;
  /// Starts the stream. @param[in] block_samples  0 for the default. @returns kOk or kTooLarge.
  virtual wire::ReplyCode Start(uint16_t block_samples, uint64_t* first_step) = 0;
  /// Stops the stream. The device answers with Dispatcher::AnswerStop once the last block is on its way.
  virtual void Stop() = 0;
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  virtual void PlayWaveform(bool loop) = 0;
  virtual void StopWaveform() = 0;
  /// The waveform is about to change.
  virtual void ForgetWaveform() = 0;
#endif
  /// No step is made between these.
  virtual void HoldSteps() = 0;
  virtual void ReleaseSteps() = 0;
  /// Scope 0 or 1.
  virtual void Reset(bool parameters_too) = 0;
  /// Called after the reply was queued.
  virtual void Reboot() = 0;
#ifndef SPIKEDAQ_WITHOUT_SELF_TEST
  /// Reads one input of the board. @returns false after the last, and for 0 where there is no self-test.
  virtual bool ReadProbe(uint8_t index, Probe* probe) = 0;
#endif

 protected:
  ~Target() = default;
};

class Dispatcher {
 public:
  constexpr Dispatcher(Target* target, ParameterTable* parameters, Waveform* waveform, wire::Transmitter* transmitter)
      : target_(target), parameters_(parameters), waveform_(waveform), transmitter_(transmitter) {}

  /// Handles one message; the transmitter must have room for kAnswerBytes.
  ///
  /// @returns kOk, also for a refused request; kMalformed for what cannot even be refused; kUnknownType.
  Status Handle(wire::Bytes message);

  bool stop_pending() const { return stop_pending_; }
  /// Answers the `stop` that is pending with the first step that was not sent.
  void AnswerStop(uint64_t next_step);
  /// Forgets pending answers, as at boot.
  void Clear() { stop_pending_ = false, last_.valid = false; }

 private:
  /// The last request that changed something: sent again, it is answered again and not done again.
  struct Last {
    bool valid;
    uint32_t crc;
    bool has_value;
    uint64_t value;
  };

  /// A request as far as it is numbers: its id, and what follows.
  struct Request {
    wire::MessageType type;
    uint32_t number[3];
    wire::Raw pairs;
  };

  Status Route(wire::Reader& reader, uint32_t n, Request& request);
  void OnPing(uint32_t token);
  void OnDescribe(uint32_t request_id, uint8_t kind, uint8_t index);
  void OnGet(uint32_t request_id, uint8_t index);
  void OnSet(uint32_t request_id, wire::Raw pairs);
  void OnStart(uint32_t request_id, uint16_t block_samples);
  void OnStop(uint32_t request_id);
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  void OnStimulus(uint32_t id, uint8_t operation, const wire::StimulusRequest& m);
#endif
  void OnResend(uint32_t request_id, uint32_t first_seq, uint16_t count);
  void OnReset(uint32_t request_id, uint8_t scope);
  void OnSelfTest(uint32_t request_id, uint8_t index);

  /// A message with `n_fields` to follow the request id.
  wire::Writer Begin(wire::MessageType type, uint8_t n_fields, uint32_t request_id);
  /// A reply; its value follows.
  wire::Writer BeginReply(uint32_t request_id, wire::ReplyCode code);
  void Describe(wire::Writer& w, const ChannelRow& row);
  void Done(uint32_t request_id, bool has_value = false, uint64_t value = 0);
  /// @param[in] what  What the reason begins with: nothing, or the name of a parameter.
  void Refuse(uint32_t request_id, wire::ReplyCode code, flash::Text why, int16_t parameter = -1);
  __attribute__((noinline)) void NameParameter(wire::Writer& w, uint8_t index, size_t rest_size);
  void Answer(uint32_t request_id, bool has_value, uint64_t value);

  Target* target_;
  ParameterTable* parameters_;
  Waveform* waveform_;
  wire::Transmitter* transmitter_;
  uint32_t crc_ = 0;  // of the request being handled
  Last last_ = {};
  bool stop_pending_ = false;
  uint32_t stop_request_id_ = 0;
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_DISPATCHER_H_
