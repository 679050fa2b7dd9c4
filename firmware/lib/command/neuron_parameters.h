/// The neuron's parameters, and the period of its steps, by the names of protocol/README.md, section 4.3.
#ifndef SPIKEDAQ_COMMAND_NEURON_PARAMETERS_H_
#define SPIKEDAQ_COMMAND_NEURON_PARAMETERS_H_

#include <stdint.h>

#include "command/parameters.h"
#include "neuron/neuron.h"

namespace spikedaq {
namespace command {

class NeuronParameters final : public ParameterBank {
 public:
  static constexpr uint8_t kCount = 18;

  /// @param[in] step_us  The period at boot, which is the default of the parameter `step_us`.
  NeuronParameters(Neuron<float>* neuron, uint32_t step_us)
      : neuron_(neuron), step_us_(step_us), default_step_us_(step_us) {}

  uint8_t count() const override { return kCount; }
  ParameterSpec Spec(uint8_t index) const override;
  float Value(uint8_t index) const override;
  float Base(uint8_t index) const override;
  void Store(uint8_t index, float value) override;

  uint32_t step_us() const { return step_us_; }

  /// What a knob of the board gives, in the parameter's unit; from then on the parameter has a knob.
  void SetKnob(uint8_t index, float value);
  /// The value that a knob's filtered ADC count stands for (neuron/knobs.h). @returns false where no knob has that
  /// parameter.
  static bool KnobValue(uint8_t index, float counts, float* value);

 private:
  Neuron<float>* neuron_;
  uint32_t step_us_;
  uint32_t default_step_us_;
  uint32_t has_knob_ = 0;  // one bit per parameter
  float knob_[kCount] = {};
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_NEURON_PARAMETERS_H_
