/// One input of a board, as the self-test tells it. Source: protocol/README.md, section 3.2.
#ifndef SPIKEDAQ_COMMAND_PROBE_H_
#define SPIKEDAQ_COMMAND_PROBE_H_

#include <stdint.h>

#include "wire/messages.h"

namespace spikedaq {
namespace command {

/// Longest name of an input, so that the answer of a self-test fits where every answer must.
constexpr size_t kMaxProbeNameBytes = 48;

struct Probe {
  wire::Text name;     ///< Of the board's profile: at most kMaxProbeNameBytes.
  int32_t raw;         ///< Number of the converter or pin.
  float value;         ///< The same in `unit`.
  wire::Text unit;     ///< "V" at the input, "1" for a pin.
  uint32_t period_us;  ///< How often the firmware reads it while it runs; 0: only when asked.
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_PROBE_H_
