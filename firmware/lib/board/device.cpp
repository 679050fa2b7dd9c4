#include "board/device.h"

#include "board/steps_held.h"

namespace spikedaq {
namespace board {
namespace {

// Kept free of blocks and events, so that an answer never waits behind a queue that the host lets grow.
#ifndef SPIKEDAQ_NO_ANSWER_ROOM
constexpr size_t kAnswerRoom = wire::FrameBound(command::kAnswerBytes);
#else
// Where the queue has room for one block or one answer, requests are looked for before each block.
constexpr size_t kAnswerRoom = 0;
#endif
// An event or a status: two u64, eight u32 at most.
constexpr size_t kSmallMessageBytes = 64;

}  // namespace

void Device::QueueEvent(wire::EventKind kind, const uint64_t& step, uint32_t tick, uint32_t index, float value) {
  Event* event = events_.Add(kind == wire::EventKind::kOverrun);
  if (event == nullptr) return;
  event->kind = kind;
  event->step = step;
  event->tick = tick;
  event->index = index;
  event->value = value;
}

void Device::QueueSampleEvents(const Sample<float>& sample) {
  if (sample.spike) QueueEvent(wire::EventKind::kSpike, step_, static_cast<uint32_t>(tick_), 0, sample.v);
  if (sample.trigger) {
    QueueEvent(wire::EventKind::kTrigger, step_, static_cast<uint32_t>(tick_), sample.loop,
               sample.trigger_waveform ? 1.0f : 0.0f);
  }
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  if (sample.waveform_ended)
    QueueEvent(wire::EventKind::kStimulusEnd, step_, static_cast<uint32_t>(tick_), sample.loops_played, 0);
#endif
}

void Device::Step() {
  const uint32_t step_us = neuron_parameters_.step_us();
  if (board_->WantsStimulus()) board_->SetStimulus(neuron_.PeekStimulus().percent);
  Inputs<float> inputs;
  board_->ReadInputs(&inputs);
  const Sample<float> sample = neuron_.Step(inputs);

  int16_t raw[kChannelCount];
  bool saturated = false;
  ToRaw(sample, raw, &saturated);
  board_->SetOutputs(Outputs{step_, tick_, sample, raw});
  if (saturated) ++saturated_values_;

  if (sampler_.running()) {
    const uint8_t mode = InVoltageClamp(sample) ? wire::kBlockVoltageClamp : uint8_t{0};
    const uint8_t cut = saturated ? wire::kBlockSaturated : uint8_t{0};
    sampler_.Push(step_, tick_, step_us, raw, static_cast<uint8_t>(mode | cut));
    QueueSampleEvents(sample);
  }
  ++step_;
  tick_ += step_us;
  if (tick_ >= next_status_tick_) {
    status_due_ = true;
    do next_status_tick_ += kStatusPeriodUs;  // once, for a step is a second at most
    while (tick_ >= next_status_tick_);
  }
}

// What waits to be queued; notes how long the queues are.
Device::Waiting Device::Look() {
  const StepsHeld held(board_);
  const uint16_t n_events = events_.size();
  const uint16_t n_blocks = sampler_.closed();
  const uint16_t n = static_cast<uint16_t>(n_blocks + n_events + transmitter_.frames_waiting());
  if (n > high_water_) high_water_ = n;
  return Waiting{n_events > 0, n_blocks > 0};
}

// A slow processor takes one request at a time, and lets a block that waits pass after two other frames.
void Device::Receive() {
  uint8_t byte = 0;
  const bool slow = settings_.slices_per_pump > 0;
  // A request is read only while its answer has room: the link's own buffer holds the rest.
  while (!reboot_wanted_ && !writing() && transmitter_.HasRoom(command::kAnswerBytes)) {
    if (slow && BlocksTurn(Look().block)) return;
    if (board_->Read(&byte, 1) == 0) return;
    if (decoder_.Take(byte) != wire::FrameDecoder::Result::kMessage) continue;
    if (dispatcher_.Handle(decoder_.message()) == Status::kMalformed) decoder_.CountMalformed();
    ++since_block_;
    if (slow) return;
  }
}

// Makes and queues the oldest block, or goes on with that.
Device::Queued Device::QueueBlock() {
  using Stage = sampling::BlockEncoder::Stage;
  const bool sliced = settings_.slices_per_pump > 0;
  if (encoder_.stage() == Stage::kIdle) encoder_.Begin();
  while (encoder_.stage() != Stage::kWritten) {
    if (encoder_.stage() == Stage::kMeasured) {
      if (!transmitter_.HasRoom(encoder_.message_bytes(), kAnswerRoom)) return Queued::kNotNow;
      encoder_.BeginWriting(transmitter_.Begin(), transmitter_.seq());
    }
    if (sliced && slices_left_ == 0) return Queued::kNotNow;
    if (sliced) --slices_left_;
    if (encoder_.stage() == Stage::kMeasuring) {
      encoder_.Measure();
    } else {
      encoder_.Write();
    }
  }
  const Status status = transmitter_.Commit(encoder_.writer());
  encoder_.Cancel();
  if (status != Status::kOk) return Queued::kNotNow;
  since_block_ = 0;
  const StepsHeld held(board_);
  sampler_.Release();
  return Queued::kOne;
}

// Queues the next frame that has never been sent: status, events, then blocks.
Device::Queued Device::QueueNew() {
  const Waiting waiting = Look();
  const bool others = waiting.event || status_due_;
  if (writing() || (waiting.block && (!others || BlocksTurn(true)))) return QueueBlock();
  if (!others) return Queued::kNothing;
  if (!transmitter_.HasRoom(kSmallMessageBytes, kAnswerRoom)) return Queued::kNotNow;
  ++since_block_;
  if (status_due_) {
    QueueStatus();
    status_due_ = false;
    return Queued::kOne;
  }
  const Event& event = events_.front();  // a step only adds behind it
  wire::Writer w = transmitter_.Begin(wire::MessageType::kEvent, 5);
  w.Unsigned8(static_cast<uint8_t>(event.kind));
  w.Unsigned(event.step);
  w.Unsigned32(event.tick);
  w.Unsigned32(event.index);
  w.Float(event.value);
  transmitter_.Commit(w);
  const StepsHeld held(board_);
  events_.Pop();
  return Queued::kOne;
}

// Queues the next frame that the host has asked for again.
Device::Queued Device::QueueAgain() {
  wire::HistoryFrame frame;
  if (transmitter_.history() == nullptr || !transmitter_.history()->Next(&frame)) return Queued::kNothing;
  if (transmitter_.SendAgain(frame, kAnswerRoom) != Status::kOk) return Queued::kNotNow;
  transmitter_.history()->Sent();
  return Queued::kOne;
}

void Device::QueueWhatHappened() {
  const StepsHeld held(board_);
  uint8_t index = 0;
  float value = 0;
  // What finds no room is told later, with the value that it has then.
  while (events_.HasSpareRoom() && parameters_.TakeChange(&index, &value)) {
    QueueEvent(wire::EventKind::kParameter, parameters_.changed_step(), parameters_.changed_tick(), index, value);
  }
  sampling::Overrun overrun;
  if (sampler_.TakeOverrun(&overrun)) {
    QueueEvent(wire::EventKind::kOverrun, overrun.first_step, overrun.first_tick, overrun.n_samples, 0);
  }
}

void Device::Send() {
  if (parameters_.changed() || sampler_.overrun_ended()) QueueWhatHappened();
  // Frames that are sent again and new ones take turns, so that neither a host that asks for ever nor a full queue
  // keeps the other back. Whose turn it is waits for its room: else small frames would overtake large ones for ever.
  for (;;) {
    Queued queued = again_next_ && !writing() ? QueueAgain() : Queued::kNothing;
    if (queued == Queued::kOne) again_next_ = false;
    if (queued == Queued::kNothing) {
      queued = QueueNew();
      if (queued == Queued::kOne) again_next_ = true;
    }
    if (queued == Queued::kNothing && !again_next_) {
      again_next_ = true;
      continue;
    }
    if (queued != Queued::kOne) break;
  }
  // No step opens a block once the sampler has stopped.
  if (dispatcher_.stop_pending() && sampler_.closed() == 0 && transmitter_.HasRoom(kSmallMessageBytes)) {
    dispatcher_.AnswerStop(stopped_at_);
  }
}

void Device::Pump() {
  slices_left_ = settings_.slices_per_pump;
  for (;;) {
    Receive();
    if (!reboot_wanted_) Send();
    if (transmitter_.size() == 0) return;
    const size_t taken = board_->Write(transmitter_.bytes(), transmitter_.size());
    transmitter_.Taken(taken);
    if (transmitter_.size() > 0) return;  // the link is full
  }
}

}  // namespace board
}  // namespace spikedaq
