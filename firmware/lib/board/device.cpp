#include "board/device.h"

namespace spikedaq {
namespace board {
namespace {

constexpr uint64_t kStatusPeriodUs = 1000000;
// Kept free of blocks and events, so that an answer never waits behind a queue that the host lets grow.
constexpr size_t kAnswerRoom = wire::FrameBound(command::kAnswerBytes);
// An event or a status: two u64, eight u32 at most.
constexpr size_t kSmallMessageBytes = 64;

/// While it lives, no step is made in an interrupt.
class StepsHeld {
 public:
  explicit StepsHeld(Board* board) : board_(board) { board_->HoldSteps(); }
  ~StepsHeld() { board_->ReleaseSteps(); }
  StepsHeld(const StepsHeld&) = delete;
  StepsHeld& operator=(const StepsHeld&) = delete;

 private:
  Board* board_;
};

}  // namespace

Device::Device(Board* board, const Memory& memory, const Settings& settings)
    : board_(board),
      memory_(memory),
      settings_(settings),
      neuron_(settings.noise_seed),
      neuron_parameters_(&neuron_, settings.step_us),
      parameters_(&neuron_parameters_, board->parameters()),
      sampler_(memory.block_heads, memory.block_values, memory.n_blocks, memory.block_capacity, kChannelCount),
      encoder_(&sampler_),
      events_(memory.events, memory.n_events),
      transmitter_(memory.scratch, memory.scratch_bytes, memory.ring, memory.ring_bytes, memory.history),
      decoder_(memory.request, memory.max_request_bytes),
      dispatcher_(this, &parameters_, Waveform(), &transmitter_) {}

void Device::Boot(uint32_t boot_id) {
  boot_id_ = boot_id;
  neuron_ = Neuron<float>(settings_.noise_seed);
  parameters_.HandBackAll();
  board_->Configure(&parameters_, &neuron_parameters_);
  parameters_.ForgetChanges();
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  waveform_.Clear();
#endif
  encoder_.Cancel();
  sampler_.Clear();
  events_.Clear();
  dispatcher_.Clear();
  decoder_.Restart();
  transmitter_.RestartSeq();
  step_ = 0;
  tick_ = board_->TickAtBoot();
  next_status_tick_ = tick_ + kStatusPeriodUs;
  stopped_at_ = 0;
  saturated_values_ = 0;
  high_water_ = 0;
  status_due_ = false;
  reboot_wanted_ = false;
  again_next_ = true;
  transmitter_.SendZero();
  transmitter_.Send(Hello());
}

wire::Hello Device::Hello() const {
  const Identity who = board_->Who();
  wire::Hello hello = {};
  hello.major = who.protocol_major;
  hello.minor = wire::kProtocolMinor;
  hello.firmware_version = who.firmware_version;
  hello.build_hash = who.build_hash;
  hello.board = who.name;
  hello.unique_id = who.unique_id;
  hello.boot_id = boot_id_;
  hello.step_us = neuron_parameters_.step_us();
  hello.block_samples = memory_.default_block_samples;
  hello.n_channels = kChannelCount;
  hello.n_parameters = parameters_.count();
  hello.n_presets = kPresetCount;
  hello.resend_depth = transmitter_.history() != nullptr ? transmitter_.history()->depth() : uint16_t{0};
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  hello.stimulus_capacity = waveform_.capacity();
#endif
  hello.codecs = encoder_.codecs();
  hello.max_request_bytes = memory_.max_request_bytes;
  hello.running = sampler_.running();
  if (kHasVoltageClamp) hello.traits |= wire::kTraitVoltageClamp;
  Probe probe;
  if (board_->ReadProbe(0, &probe)) hello.traits |= wire::kTraitSelfTest;
  return hello;
}

wire::ReplyCode Device::Start(uint16_t block_samples, uint64_t* first_step) {
  const uint16_t n = block_samples == 0 ? memory_.default_block_samples : block_samples;
  if (n > memory_.block_capacity) return wire::ReplyCode::kTooLarge;
  const StepsHeld held(board_);
  sampler_.Start(n);
  *first_step = step_;
  return wire::ReplyCode::kOk;
}

void Device::Stop() {
  if (!sampler_.running()) return;
  const StepsHeld held(board_);
  sampler_.Stop();
  stopped_at_ = step_;
}

uint64_t Device::step() const {
  const StepsHeld held(board_);
  return step_;
}

#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
void Device::PlayWaveform(bool loop) {
  const StepsHeld held(board_);
  neuron_.SetWaveform(waveform_.rows(), waveform_.n_rows());
  neuron_.PlayWaveform(loop);
}

void Device::StopWaveform() {
  const StepsHeld held(board_);
  neuron_.StopWaveform();
}

void Device::ForgetWaveform() {
  const StepsHeld held(board_);
  neuron_.SetWaveform(nullptr, 0);
}
#endif

void Device::Reset(bool parameters_too) {
  const StepsHeld held(board_);
  if (parameters_too) parameters_.HandBackAll();
  neuron_.Reset();
}

void Device::QueueEvent(wire::EventKind kind, uint32_t index, float value) {
  events_.Push(wire::Event{0, static_cast<uint8_t>(kind), step_, static_cast<uint32_t>(tick_), index, value});
}

void Device::QueueSampleEvents(const Sample<float>& sample) {
  if (sample.spike) QueueEvent(wire::EventKind::kSpike, 0, sample.v);
  if (sample.trigger) QueueEvent(wire::EventKind::kTrigger, sample.loop, sample.trigger_waveform ? 1.0f : 0.0f);
  if (sample.waveform_ended) QueueEvent(wire::EventKind::kStimulusEnd, sample.loops_played, 0);
}

void Device::Step() {
  const uint32_t step_us = neuron_parameters_.step_us();
  board_->SetStimulus(neuron_.PeekStimulus().percent);
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

void Device::SkipSteps(uint32_t n) {
  sampler_.Skip(step_, tick_, n);
  step_ += n;
  tick_ += uint64_t{n} * neuron_parameters_.step_us();
}

void Device::NoteQueueLength() {
  const StepsHeld held(board_);
  const uint16_t n = static_cast<uint16_t>(sampler_.closed() + events_.size() + transmitter_.frames_waiting());
  if (n > high_water_) high_water_ = n;
}

void Device::QueueStatus() {
  wire::StatusMessage m = {};
  m.tick = board_->Tick();
  {
    const StepsHeld held(board_);
    m.step = step_;
    m.overruns = sampler_.overruns();
    m.overrun_samples = sampler_.overrun_samples();
    m.events_dropped = events_.dropped();
    m.saturated_samples = saturated_values_;
  }
  m.queue_high_water = high_water_;
  if (transmitter_.history() != nullptr) m.resend_misses = transmitter_.history()->misses();
  m.bad_frames = decoder_.bad_total();
  m.cpu_permille = board_->CpuPermille();
  high_water_ = 0;
  transmitter_.Send(m);
}

void Device::Receive() {
  uint8_t byte = 0;
  // A request is read only while its answer has room: the link's own buffer holds the rest.
  while (!reboot_wanted_ && !writing() && transmitter_.HasRoom(command::kAnswerBytes)) {
    if (board_->Read(&byte, 1) == 0) return;
    if (decoder_.Take(byte) != wire::FrameDecoder::Result::kMessage) continue;
    if (dispatcher_.Handle(decoder_.message()) == Status::kMalformed) decoder_.CountMalformed();
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
  const StepsHeld held(board_);
  sampler_.Release();
  return Queued::kOne;
}

// Queues the next frame that has never been sent: status, events, then blocks.
Device::Queued Device::QueueNew() {
  bool event_waits = false, block_waits = false;
  {
    const StepsHeld held(board_);
    event_waits = events_.size() > 0;
    block_waits = sampler_.closed() > 0;
  }
  if (writing() || (block_waits && !event_waits && !status_due_)) return QueueBlock();
  if (!event_waits && !status_due_) return Queued::kNothing;
  if (!transmitter_.HasRoom(kSmallMessageBytes, kAnswerRoom)) return Queued::kNotNow;
  if (status_due_) {
    QueueStatus();
    status_due_ = false;
    return Queued::kOne;
  }
  transmitter_.Send(events_.front());  // a step only adds behind it
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
  uint8_t index = 0;
  float value = 0;
  while (parameters_.TakeChange(&index, &value)) {
    const StepsHeld held(board_);
    QueueEvent(wire::EventKind::kParameter, index, value);
  }
  const StepsHeld held(board_);
  sampling::Overrun overrun;
  if (sampler_.TakeOverrun(&overrun)) {
    events_.Push(wire::Event{0, static_cast<uint8_t>(wire::EventKind::kOverrun), overrun.first_step,
                             static_cast<uint32_t>(overrun.first_tick), overrun.n_samples, 0});
  }
}

void Device::Send() {
  QueueWhatHappened();
  NoteQueueLength();
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
    if (taken == 0) return;
    transmitter_.Taken(taken);
  }
}

void Device::LinkRestarted() {
  decoder_.Restart();
  if (transmitter_.history() != nullptr) transmitter_.history()->ForgetRequests();
  transmitter_.DropPartialFrame();
  transmitter_.SendZero();
}

}  // namespace board
}  // namespace spikedaq
