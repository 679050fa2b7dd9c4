/// The channels of a Spikeling. Source: protocol/README.md, section 4.2.
#ifndef SPIKEDAQ_COMMAND_CHANNELS_H_
#define SPIKEDAQ_COMMAND_CHANNELS_H_

#include <stdint.h>

#include "neuron/neuron.h"
#include "wire/messages.h"

namespace spikedaq {
namespace command {

/// Description of one of the kChannelCount channels.
wire::Channel ChannelOf(uint8_t index);

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_CHANNELS_H_
