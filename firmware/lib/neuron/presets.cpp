#include "neuron/presets.h"

#include "flash/flash.h"

namespace spikedaq {
namespace {

constexpr Preset kPresets[kPresetCount] SPIKEDAQ_FLASH = {
    {"Tonic spiking", 0.02f, 0.20f, -65.0f, 6.0f, -70.0f},
    {"Phasic spiking", 0.02f, 0.25f, -65.0f, 6.0f, -64.0f},
    {"Tonic bursting", 0.02f, 0.20f, -50.0f, 2.0f, -70.0f},
    {"Phasic bursting", 0.02f, 0.25f, -55.0f, 0.05f, -64.0f},
    {"Mixed mode", 0.02f, 0.20f, -55.0f, 4.0f, -70.0f},
    {"Spike-frequency adaptation", 0.01f, 0.20f, -65.0f, 8.0f, -70.0f},
    {"Class 1", 0.02f, -0.10f, -55.0f, 6.0f, -60.0f},
    {"Class 2", 0.20f, 0.26f, -65.0f, 0.0f, -64.0f},
    {"Spike latency", 0.02f, 0.20f, -65.0f, 6.0f, -70.0f},
    {"Subthreshold oscillations", 0.05f, 0.26f, -60.0f, 0.0f, -62.0f},
    {"Resonator", 0.10f, 0.26f, -60.0f, -1.0f, -62.0f},
    {"Integrator", 0.02f, -0.10f, -55.0f, 6.0f, -60.0f},
    {"Rebound spike", 0.03f, 0.25f, -60.0f, 4.0f, -64.0f},
    {"Rebound burst", 0.03f, 0.25f, -52.0f, 0.0f, -64.0f},
    {"Threshold variability", 0.03f, 0.25f, -60.0f, 4.0f, -64.0f},
    {"Bistability", 0.10f, 0.26f, -60.0f, 0.0f, -61.0f},
    {"Depolarising after-potential", 1.00f, 0.20f, -60.0f, -21.0f, -70.0f},
    {"Accommodation", 0.02f, 1.00f, -55.0f, 4.0f, -65.0f},
    {"Inhibition-induced spiking", 0.02f, 1.00f, -60.0f, 8.0f, -63.8f},
    {"Inhibition-induced bursting", 0.026f, -1.00f, -45.0f, -2.0f, -63.8f},
};

}  // namespace

Preset PresetOf(uint8_t index) { return flash::Read(kPresets[index]); }

}  // namespace spikedaq
