/// The converter: at each step the fast inputs and one knob, one after the other by its interrupt.
#ifndef SPIKEDAQ_V1_CONVERTER_H_
#define SPIKEDAQ_V1_CONVERTER_H_

#include <stdint.h>

namespace spikedaq {
namespace v1 {
namespace converter {

/// Inputs in the order of their results.
enum Input : uint8_t { kPhotodiode, kAnalogueIn, kVmKnob, kNoiseKnob, kSyn1Knob, kSyn2Knob };
constexpr uint8_t kInputs = 6;
constexpr uint8_t kFastInputs = 2;    ///< Read at every step.
constexpr uint8_t kStepsPerKnob = 4;  ///< Of the others, one is read at every fourth: each at every sixteenth.
constexpr uint8_t kKnobs = kInputs - kFastInputs;

/// Sets up the converter and reads every input once, which takes about 1 ms. Interrupts must be off.
void Begin();
/// One conversion, waited for (104 us). Interrupts must be off.
uint16_t ReadNow(Input input);
/// Starts the conversions of one step, which take 312 us: by the next step they are done.
void StartSequence();
/// Number of the converter at its last conversion, 0 to 1023.
uint16_t Count(Input input);
/// The same on the 12-bit scale of neuron/knobs.h: 0 to 4095.
inline uint16_t Scaled(uint16_t count) { return static_cast<uint16_t>(count << 2 | count >> 8); }
/// A knob that was read since it was last asked for, or kInputs.
uint8_t TakeFreshKnob();

}  // namespace converter
}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_CONVERTER_H_
