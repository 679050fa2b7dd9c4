/// The firmware of every board: the neuron, its sampling, its commands and its link, put together.
#ifndef SPIKEDAQ_BOARD_DEVICE_H_
#define SPIKEDAQ_BOARD_DEVICE_H_

#include <stddef.h>
#include <stdint.h>

#include "board/board.h"
#include "board/event_queue.h"
#include "command/dispatcher.h"
#include "command/neuron_parameters.h"
#include "command/parameters.h"
#include "command/waveform.h"
#include "neuron/neuron.h"
#include "sampling/block_encoder.h"
#include "sampling/sampler.h"
#include "wire/frame.h"
#include "wire/transmitter.h"

namespace spikedaq {
namespace board {

/// Memory and sizes, which are a matter of the board. Nothing is allocated.
struct Memory {
  uint8_t* request;            ///< CobsBound(max_request_bytes) bytes.
  uint16_t max_request_bytes;  ///< At least 64.
  uint8_t* scratch;            ///< One message and its CRC, or nullptr (wire/transmitter.h).
  size_t scratch_bytes;
  uint8_t* ring;  ///< Frames that wait for the link; two of the largest at least.
  size_t ring_bytes;
  sampling::BlockHead* block_heads;
  int16_t* block_values;  ///< n_blocks * block_capacity * kChannelCount.
  uint16_t n_blocks;
  uint16_t block_capacity;
  uint16_t default_block_samples;
  Event* events;
  uint16_t n_events;
  int16_t* waveform_rows;
  uint8_t* waveform_bits;  ///< (waveform_capacity + 7) / 8 bytes.
  uint32_t waveform_capacity;
  wire::History* history = nullptr;  ///< Frames that can be sent again; nullptr where there is no memory for any.
};

/// While a device runs it sends its status so often.
constexpr uint64_t kStatusPeriodUs = 1000000;

/// How a device is when it has just been switched on.
struct Settings {
  uint32_t step_us;
  Noise noise;  ///< Or the seed of one.
  /// Slices of one channel that a block's encoding may take per Pump, for processors on which a whole block takes
  /// longer than a step; 0 for whole blocks.
  uint8_t slices_per_pump = 0;
};

class Device final : public command::Target {
 public:
  /// It does nothing, so that a device can be part of the program's image; `Boot` must follow.
  constexpr Device(Board* board, const Memory& memory, const Settings& settings)
      : board_(board),
        max_request_bytes_(memory.max_request_bytes),
        block_capacity_(memory.block_capacity),
        default_block_samples_(memory.default_block_samples),
        settings_(settings),
        neuron_(settings.noise),
        neuron_parameters_(&neuron_, settings.step_us),
        parameters_(&neuron_parameters_, &step_, &tick_),
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
        waveform_(memory.waveform_rows, memory.waveform_bits, memory.waveform_capacity),
#endif
        sampler_(memory.block_heads, memory.block_values, memory.n_blocks, memory.block_capacity, kChannelCount),
        encoder_(&sampler_),
        events_(memory.events, memory.n_events),
        transmitter_(memory.scratch, memory.scratch_bytes, memory.ring, memory.ring_bytes, memory.history),
        decoder_(memory.request, memory.max_request_bytes),
        dispatcher_(this, &parameters_, Waveform(), &transmitter_) {
  }

  /// Starts afresh: another boot id, step 0, hello sent.
  void Boot(uint32_t boot_id);

  /// Makes one step of the model: inputs, neuron, outputs, sample, events. May interrupt Pump, but where the board was
  /// told to hold its steps.
  void Step();
  /// Passes over `n` steps for which there was no time. The model stands still; where samples are taken, those are
  /// counted as an overrun.
  void SkipSteps(uint32_t n);
  /// Tick at which the next step is due.
  uint64_t next_tick() const { return tick_; }
  /// Whether the next step's sample would be stored and not discarded.
  bool HasRoomForStep() const {
    return sampler_.HasRoom(neuron_parameters_.step_us(),
                            neuron_parameters_.voltage_clamp() ? wire::kBlockVoltageClamp : uint8_t{0});
  }

  /// Moves bytes from the link to the commands, and events and blocks to the link, as far as it goes without waiting.
  void Pump();
  /// Bytes and blocks that wait for the link, to see whether it moves.
  size_t bytes_waiting() const { return transmitter_.size() + sampler_.closed(); }
  /// Bytes wait for the link.
  bool wants_write() const { return transmitter_.size() > 0; }
  /// Nothing more to send: no block, no event, no byte.
  bool drained() const { return transmitter_.size() == 0 && sampler_.closed() == 0 && events_.size() == 0; }
  /// The link was opened anew: parts of frames are forgotten.
  void LinkRestarted();
  /// The host asked for a reboot; the reply has been queued. The board calls Boot.
  bool reboot_wanted() const { return reboot_wanted_; }

  command::ParameterTable& parameters() { return parameters_; }
  command::NeuronParameters& neuron_parameters() { return neuron_parameters_; }
  const sampling::Sampler& sampler() const { return sampler_; }
  uint32_t boot_id() const { return boot_id_; }

  // Target
  void SendHello() override;
  uint64_t Tick() override { return board_->Tick(); }
  uint64_t step() const override;
  wire::ReplyCode Start(uint16_t block_samples, uint64_t* first_step) override;
  void Stop() override;
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  void PlayWaveform(bool loop) override;
  void StopWaveform() override;
  void ForgetWaveform() override;
#endif
  void Reset(bool parameters_too) override;
  void Reboot() override { reboot_wanted_ = true; }
  void HoldSteps() override { board_->HoldSteps(); }
  void ReleaseSteps() override { board_->ReleaseSteps(); }
#ifndef SPIKEDAQ_WITHOUT_SELF_TEST
  bool ReadProbe(uint8_t index, command::Probe* probe) override { return board_->ReadProbe(index, probe); }
#endif

 private:
  void Receive();
  /// What came of the attempt to queue a frame.
  enum class Queued : uint8_t { kOne, kNothing, kNotNow };

  void Send();
  Queued QueueAgain();
  Queued QueueNew();
  Queued QueueBlock();
  void QueueStatus();
  void QueueWhatHappened();
  void QueueSampleEvents(const Sample<float>& sample);
  void QueueEvent(wire::EventKind kind, const uint64_t& step, uint32_t tick, uint32_t index, float value);
  struct Waiting {
    bool event, block;
  };
  Waiting Look();
  /// Whether a block that waits goes before everything else: every block is taken, or two other frames went before it.
  bool BlocksTurn(bool waits) const { return waits && (sampler_.full() || since_block_ >= 2); }
  /// A block is half written, in the memory in which every other message would be made.
  bool writing() const { return encoder_.stage() == sampling::BlockEncoder::Stage::kWriting; }

  // What each step touches comes first: an AVR reaches 64 bytes of an object directly.
  Board* board_;
  uint64_t step_ = 0;
  uint64_t tick_ = 0;
  uint64_t next_status_tick_ = 0;
  uint16_t max_request_bytes_;
  uint16_t block_capacity_;
  uint16_t default_block_samples_;
  Settings settings_;
  Neuron<float> neuron_;
  command::NeuronParameters neuron_parameters_;
  command::ParameterTable parameters_;
#ifndef SPIKEDAQ_WITHOUT_WAVEFORM
  command::Waveform waveform_;
  constexpr command::Waveform* Waveform() { return &waveform_; }
#else
  static constexpr command::Waveform* Waveform() { return nullptr; }
#endif
  sampling::Sampler sampler_;
  sampling::BlockEncoder encoder_;
  EventQueue events_;
  wire::Transmitter transmitter_;
  wire::FrameDecoder decoder_;
  command::Dispatcher dispatcher_;

  uint32_t boot_id_ = 0;
  uint64_t stopped_at_ = 0;
  uint32_t saturated_values_ = 0;
  uint16_t high_water_ = 0;
  uint8_t slices_left_ = 0;  // of this Pump
  uint8_t since_block_ = 0;  // answers, events and status since the last block
  bool status_due_ = false;
  bool reboot_wanted_ = false;
  bool again_next_ = true;  // a frame that is sent again has the next turn
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_DEVICE_H_
