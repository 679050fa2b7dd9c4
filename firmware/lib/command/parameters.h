/// The parameters that a host can read and set: ranges, values, and who holds them.
#ifndef SPIKEDAQ_COMMAND_PARAMETERS_H_
#define SPIKEDAQ_COMMAND_PARAMETERS_H_

#include <stddef.h>
#include <stdint.h>

#include "wire/messages.h"

namespace spikedaq {
namespace command {

/// What does not change of a parameter. Names are those of protocol/README.md, section 4.3.
struct ParameterSpec {
  char name[20];  ///< In the struct, so that a table of them can stay in flash (flash/flash.h).
  char unit[12];
  wire::ParameterType type;
  float minimum;
  float maximum;
  float default_value;
  uint8_t flags;  ///< wire::kParameterReadOnly, wire::kParameterHasKnob.
};

/// Some parameters that live in one place.
class ParameterBank {
 public:
  virtual uint8_t count() const = 0;
  virtual ParameterSpec Spec(uint8_t index) const = 0;
  virtual float Value(uint8_t index) const = 0;
  /// The value while no host holds the parameter: the knob's, or the default.
  virtual float Base(uint8_t index) const { return Spec(index).default_value; }
  /// Takes a value that is within the range.
  virtual void Store(uint8_t index, float value) = 0;
  /// Nobody holds the parameter any more: it goes back to its base.
#ifdef SPIKEDAQ_WITHOUT_VOLTAGE_CLAMP
  void HandBack(uint8_t index) { Store(index, Base(index)); }  // virtual it would cost an AVR two bytes of RAM per bank
#else
  virtual void HandBack(uint8_t index) { Store(index, Base(index)); }
#endif

 protected:
  ~ParameterBank() = default;
};

/// Indices of all parameters are u8; this many are enough for the neuron's and a board's own.
#ifdef SPIKEDAQ_MAX_PARAMETERS
constexpr uint8_t kMaxParameters = SPIKEDAQ_MAX_PARAMETERS;
#else
constexpr uint8_t kMaxParameters = 40;
#endif

/// The parameters of all banks, one after the other.
class ParameterTable {
 public:
  /// @param[in] step, tick  Where the device counts: read where a parameter is set, for the event that tells of it.
  constexpr ParameterTable(ParameterBank* neuron, const uint64_t* step, const uint64_t* tick)
      : banks_{neuron, nullptr}, step_(step), tick_(tick) {}
  /// Those of the board; nullptr for none.
  void SetBoard(ParameterBank* board) { banks_[1] = board; }

  uint8_t count() const;
  ParameterSpec Spec(uint8_t index) const;
  float Value(uint8_t index) const;
  wire::Holder holder(uint8_t index) const { return Held(index) ? wire::Holder::kHost : wire::Holder::kKnob; }

  /// Whether `Set` may be called: kOk, kOutOfRange (index or value; a NaN is in no range), or kReadOnly.
  wire::ReplyCode Check(uint8_t index, bool hand_back, float value) const;
  /// Gives the parameter a checked value, or hands it back to knob or default.
  void Set(uint8_t index, bool hand_back, float value);
  /// Hands all parameters back.
  void HandBackAll();
  /// A knob was turned: parameters that the host does not hold follow.
  void FollowKnob(uint8_t index);
  /// Index of the parameter of this name, or -1.
  int16_t Find(wire::Text name) const;

  /// The next parameter whose value is not the one last told, by whatever it was changed. @returns false if none is.
  bool TakeChange(uint8_t* index, float* value);
  /// The first step with the values that were set last, and its tick.
  const uint64_t& changed_step() const { return changed_step_; }
  uint32_t changed_tick() const { return changed_tick_; }
  /// Something may have changed since TakeChange said no.
  bool changed() const { return unseen_ < kMaxParameters; }
  /// Counts all present values as told, as at boot.
  void ForgetChanges();

 private:
  ParameterBank* Bank(uint8_t* index) const;
  bool Held(uint8_t index) const { return (held_[index / 8] >> index % 8 & 1u) != 0; }

  ParameterBank* banks_[2];
  const uint64_t* step_;
  const uint64_t* tick_;
  uint64_t changed_step_ = 0;
  uint32_t changed_tick_ = 0;
  uint8_t unseen_ = 0;  // Those from here on have not been looked at since something was set; kMaxParameters: all have.
  uint8_t held_[(kMaxParameters + 7) / 8] = {};  // one bit per parameter
  float told_[kMaxParameters] = {};
};

}  // namespace command
}  // namespace spikedaq

#endif  // SPIKEDAQ_COMMAND_PARAMETERS_H_
