#include "command/channels.h"

#include "flash/flash.h"

namespace spikedaq {
namespace command {
namespace {

constexpr ChannelRow kRows[kChannelCount] SPIKEDAQ_FLASH = {
    {"vm", "mV", -2},       {"stimulus", "%", 0},  {"i_total", "a.u.", -2}, {"syn1_vm", "mV", -2},
    {"syn1_i", "a.u.", -2}, {"syn2_vm", "mV", -2}, {"syn2_i", "a.u.", -2},  {"trigger", "1", 0}};

}  // namespace

ChannelRow ChannelOf(uint8_t index) { return flash::Read(kRows[index]); }

}  // namespace command
}  // namespace spikedaq
