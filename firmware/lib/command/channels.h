/// The channels of a Spikeling. Source: protocol/README.md, section 4.2.
#ifndef SPIKEDAQ_COMMAND_CHANNELS_H_
#define SPIKEDAQ_COMMAND_CHANNELS_H_

#include <stdint.h>

#include "neuron/neuron.h"

namespace spikedaq {
namespace command {

/// What is said of a channel; the mantissa of its scale is 1 and its offset 0.
struct ChannelRow {
  char name[12];
  char unit[5];
  int8_t scale_exponent;
};

/// One of the kChannelCount channels.
ChannelRow ChannelOf(uint8_t index);

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
/// The same in voltage clamp, in which two channels are something else.
ChannelRow ClampChannelOf(uint8_t index);
#endif

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_CHANNELS_H_
