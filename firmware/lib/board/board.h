/// What a board must offer, so that one firmware runs on all of them. The computer it is compiled for is one more
/// board.
#ifndef SPIKEDAQ_BOARD_BOARD_H_
#define SPIKEDAQ_BOARD_BOARD_H_

#include <stddef.h>
#include <stdint.h>

#include "command/neuron_parameters.h"
#include "command/parameters.h"
#include "command/probe.h"
#include "neuron/neuron.h"
#include "wire/messages.h"

namespace spikedaq {
namespace board {

/// Who a board says it is in its hello.
struct Identity {
  wire::Text firmware_version;
  wire::Text build_hash;   ///< At most 16 characters.
  wire::Text name;         ///< Of the board profile: "native", "v1", ...
  wire::Bytes unique_id;   ///< 4 to 16 bytes, never changing for one board.
  uint8_t protocol_major;  ///< wire::kProtocolMajor, but where a test wants a stranger.
};

/// One step as the board's outputs need it.
struct Outputs {
  const uint64_t& step;
  const uint64_t& tick;  ///< Microseconds.
  const Sample<float>& sample;
  const int16_t (&raw)[kChannelCount];
};

using command::Probe;

class Board {
 public:
  virtual Identity Who() const = 0;

  /// The free-running microsecond counter, widened; never goes back while the board is up.
  virtual uint64_t Tick() = 0;
  /// Where the counter stands at boot: the tick of step 0.
  virtual uint64_t TickAtBoot() = 0;

  /// The link. Both return the number of bytes moved, 0 if none can be now, and never wait.
  virtual size_t Write(const uint8_t* bytes, size_t n) = 0;
  virtual size_t Read(uint8_t* bytes, size_t n) = 0;

  /// Called in this order once per step: the stimulus output is set before the inputs are read, so that a stimulus that
  /// is wired back into an input acts in the same step.
  virtual void SetStimulus(float percent) = 0;
  /// Whether SetStimulus does anything.
  virtual bool WantsStimulus() const { return true; }
  virtual void ReadInputs(Inputs<float>* inputs) = 0;
  virtual void SetOutputs(const Outputs& outputs) = 0;

  /// A board that makes its steps in an interrupt makes none between these two; the device calls them in pairs, not
  /// nested, around what a step must not find half done: some microseconds, or as long as a `set` takes.
  virtual void HoldSteps() {}
  virtual void ReleaseSteps() {}

  /// Share of the step period spent computing since the last call, in 1/1000; 0 where unknown.
  virtual uint16_t CpuPermille() = 0;

#ifndef SPIKEDAQ_WITHOUT_SELF_TEST
  /// Reads one input of the board, counted from 0, for the self-test; changes nothing that the model sees. Not called
  /// while ReadInputs runs.
  ///
  /// @returns false after the last input, and for 0 on a board that cannot test itself.
  virtual bool ReadProbe(uint8_t index, Probe* probe) = 0;
#endif

  /// Parameters that only this board has; nullptr for none.
  virtual command::ParameterBank* parameters() = 0;
  /// Called at each boot, when all parameters have their defaults: a board that has knobs, or settings of its own,
  /// applies them here.
  virtual void Configure(command::ParameterTable* table, command::NeuronParameters* neuron) = 0;

 protected:
  ~Board() = default;
};

}  // namespace board
}  // namespace spikedaq

#endif  // SPIKEDAQ_BOARD_BOARD_H_
