#include "command/channels.h"

namespace spikedaq {
namespace command {
namespace {

struct Row {
  const char* name;
  const char* unit;
  int8_t scale_exponent;  // the mantissa is 1 and the offset 0
};

constexpr Row kRows[kChannelCount] = {{"vm", "mV", -2},       {"stimulus", "%", 0},   {"i_total", "a.u.", -2},
                                      {"syn1_vm", "mV", -2},  {"syn1_i", "a.u.", -2}, {"syn2_vm", "mV", -2},
                                      {"syn2_i", "a.u.", -2}, {"trigger", "1", 0}};

}  // namespace

wire::Channel ChannelOf(uint8_t index) {
  const Row& row = kRows[index];
  return wire::Channel{wire::TextOf(row.name), wire::TextOf(row.unit), 1, row.scale_exponent, 0};
}

}  // namespace command
}  // namespace spikedaq
