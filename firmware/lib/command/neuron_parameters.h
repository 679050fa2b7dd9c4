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
  /// Indices, for boards; hosts find parameters by their names.
  enum Index : uint8_t {
    kPreset,
    kA,
    kB,
    kC,
    kD,
    kVRest,
    kIClamp,
    kNoiseSd,
    kPhotoGain,
    kPhotoDecay,
    kPhotoRecovery,
    kSyn1Gain,
    kSyn1Decay,
    kSyn2Gain,
    kSyn2Decay,
    kStimStrength,
    kStimPeriod,
    kStepUs,
    kClampMode,
    kVHold,
    kVcKp,
    kVcKi,
    kVcIMin,
    kVcIMax,
    kVcSpan
  };

#ifdef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  static constexpr uint8_t kCount = 18;
#else
  static constexpr uint8_t kCount = 25;
#endif

  /// A board with fewer knobs needs less memory for them.
#ifdef SPIKEDAQ_MAX_KNOBS
  static constexpr uint8_t kMaxKnobs = SPIKEDAQ_MAX_KNOBS;
#else
  static constexpr uint8_t kMaxKnobs = kCount;
#endif

  /// @param[in] step_us  The period at boot, which is the default of the parameter `step_us`.
  constexpr NeuronParameters(Neuron<float>* neuron, uint32_t step_us)
      : neuron_(neuron), step_us_(step_us), default_step_us_(step_us) {}

  uint8_t count() const override { return kCount; }
  ParameterSpec Spec(uint8_t index) const override;
  float Value(uint8_t index) const override;
  float Base(uint8_t index) const override;
  void Store(uint8_t index, float value) override;
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  void HandBack(uint8_t index) override;
#endif

  uint32_t step_us() const { return step_us_; }
  bool voltage_clamp() const {
#ifdef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
    return false;
#else
    return neuron_->parameters().voltage_clamp;
#endif
  }

  /// What a knob of the board gives, in the parameter's unit; from then on the parameter has a knob. The patch knob is
  /// that of `i_clamp` and of `v_hold`: turned in voltage clamp, it moves the holding potential unless a host holds it.
  void SetKnob(uint8_t index, float value);
  /// The value that a knob's filtered ADC count stands for (neuron/knobs.h). @returns false where no knob has that
  /// parameter.
  static bool KnobValue(uint8_t index, float counts, float* value);

 private:
  float* Field(uint8_t index) const;
  bool HasKnob(uint8_t index) const { return (has_knob_ >> index & 1u) != 0; }
  uint8_t KnobSlot(uint8_t index) const;

  Neuron<float>* neuron_;
  uint32_t step_us_;
  uint32_t default_step_us_;
  uint32_t has_knob_ = 0;       // one bit per parameter
  float knob_[kMaxKnobs] = {};  // of those that there are, in the order of their parameters
#ifndef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  bool host_holds_ = false;  // the parameter v_hold
#endif
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_NEURON_PARAMETERS_H_
