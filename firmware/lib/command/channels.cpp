#include "command/channels.h"

#include "flash/flash.h"

namespace spikedaq {
namespace command {
namespace {

constexpr ChannelRow kRows[kChannelCount] SPIKEDAQ_FLASH = {
    {"vm", "mV", -2},       {"stimulus", "%", 0},  {"i_total", "a.u.", -2}, {"syn1_vm", "mV", -2},
    {"syn1_i", "a.u.", -2}, {"syn2_vm", "mV", -2}, {"syn2_i", "a.u.", -2},  {"trigger", "1", 0}};

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
constexpr uint8_t kFirstClampRow = 1;  // of channel 1; that of channel 2 follows
constexpr ChannelRow kClampRows[2] SPIKEDAQ_FLASH = {{"v_command", "mV", -2}, {"i_clamp_out", "a.u.", -2}};
#endif

}  // namespace

ChannelRow ChannelOf(uint8_t index) { return flash::Read(kRows[index]); }

#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
ChannelRow ClampChannelOf(uint8_t index) {
  const bool differs = index == kFirstClampRow || index == kFirstClampRow + 1;
  return differs ? flash::Read(kClampRows[index - kFirstClampRow]) : ChannelOf(index);
}
#endif

}  // namespace command
}  // namespace spikedaq
