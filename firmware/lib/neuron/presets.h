/// The twenty neuron presets of the stock firmware.
#ifndef SPIKEDAQ_NEURON_PRESETS_H_
#define SPIKEDAQ_NEURON_PRESETS_H_

#include <stdint.h>

namespace spikedaq {

/// Izhikevich's parameters and the resting potential of one kind of neuron. c and v_rest are in mV.
struct Preset {
  char name[29];
  float a, b, c, d, v_rest;
};

constexpr uint8_t kPresetCount = 20;

/// Value of the parameter `preset` for a neuron that has none of the presets.
constexpr uint8_t kCustomPreset = 255;

/// Preset of an index below kPresetCount. Indices are those of the stock command `NEU`. 0 and 8, 6 and 11, and 12 and
/// 14 are equal, as they are in stock. Every number is a multiple of 0.001 (see Neuron::SetPreset).
Preset PresetOf(uint8_t index);

}  // namespace spikedaq

#endif  // SPIKEDAQ_NEURON_PRESETS_H_
