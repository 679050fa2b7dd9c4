/// How one layout of a Spikeling with an ESP32 is wired: pins, converters, references. A profile is a table; the checks
/// below find tables that cannot be, when they are compiled.
#ifndef SPIKEDAQ_ESP32_PROFILE_H_
#define SPIKEDAQ_ESP32_PROFILE_H_

#include <stdint.h>

namespace spikedaq {
namespace esp32 {

enum class Chip : uint8_t { kEsp32, kEsp32S3 };

/// Where the analogue outputs come from: nowhere, the ESP32's own two converters of 8 bits, or an MCP4922 of 12 bits.
enum class Dac : uint8_t { kNone, kInternal, kMcp4922 };

/// What a pin is for.
enum PinRole : uint8_t {
  kSck,
  kMosi,
  kMiso,
  kCsAdc1,
  kCsAdc2,
  kCsDac,
  kSyn1Pulse,
  kSyn2Pulse,
  kAxonPulse,
  kStimulusLight,
  kBuzzer,
  kVmRed,
  kVmGreen,
  kVmBlue,
  kStimulusRed,
  kStimulusGreen,
  kStimulusBlue,
  kModeButton,
  kBuzzerButton,
  kLedButton,
  kModeLed1,
  kModeLed2,
  kModeLed3,
  kModeLed4,
  kAxonAnalogue,
  kStimulusAnalogue,
  kPinRoles
};

constexpr int8_t kNoPin = -1;

/// Pins by role. A constructor, for what is not wired must not become pin 0.
struct Pins {
  int8_t at[kPinRoles] = {};
  constexpr Pins() {
    for (int8_t& pin : at) pin = kNoPin;
  }
  constexpr bool Has(PinRole role) const { return at[role] != kNoPin; }
};

/// What an input of the analogue-to-digital converters is. The first four act on the model at every step.
enum class Use : uint8_t { kPhotodiode, kCurrentIn, kSyn1Vm, kSyn2Vm, kKnob, kMonitor };

struct AdcInput {
  const char* name;
  uint8_t chip;     ///< 0 or 1: which MCP3208.
  uint8_t channel;  ///< 0 to 7.
  Use use;
  const char* parameter;  ///< Of a knob: the parameter it turns; else nullptr.
};

constexpr uint8_t kMaxInputs = 13;

struct Profile {
  const char* name;  ///< As in hello, at most 16 characters.
  Chip chip;
  Dac dac;
  Pins pins;
  AdcInput inputs[kMaxInputs];
  uint8_t n_inputs;
  uint16_t adc_reference_mv;  ///< Full scale of the analogue inputs.
  uint16_t jack_full_mv;      ///< What another board's jacks give at most; the model's maps mean this by 4095.
  /// How many pins in use are read by the chip as it starts (strapping). Said in each table so that nobody adds one by
  /// accident: a level that is held there at power-on changes how the chip starts.
  uint8_t n_strapping;
};

constexpr bool IsStrapping(Chip chip, int8_t pin) {
  // Espressif, datasheets of ESP32 (section Strapping Pins) and ESP32-S3 (the same).
  return chip == Chip::kEsp32 ? (pin == 0 || pin == 2 || pin == 5 || pin == 12 || pin == 15)
                              : (pin == 0 || pin == 3 || pin == 45 || pin == 46);
}

/// Whether the pin exists and is not taken by flash memory or by the link.
constexpr bool IsFree(Chip chip, int8_t pin) {
  if (chip == Chip::kEsp32) {
    const bool flash = pin >= 6 && pin <= 11;
    const bool uart0 = pin == 1 || pin == 3;
    const bool absent = pin == 20 || pin == 24 || (pin >= 28 && pin <= 31) || pin > 39;
    return pin >= 0 && !flash && !uart0 && !absent;
  }
  const bool flash = pin >= 26 && pin <= 32;
  const bool usb = pin == 19 || pin == 20;
  const bool absent = (pin >= 22 && pin <= 25) || pin > 48;
  return pin >= 0 && !flash && !usb && !absent;
}

constexpr bool IsInputRole(uint8_t role) {
  return role == kMiso || role == kSyn1Pulse || role == kSyn2Pulse || role == kModeButton || role == kBuzzerButton ||
         role == kLedButton;
}

constexpr bool PinsAreDistinct(const Profile& p) {
  for (uint8_t i = 0; i < kPinRoles; ++i) {
    for (uint8_t k = 0; k < i; ++k) {
      if (p.pins.at[i] != kNoPin && p.pins.at[i] == p.pins.at[k]) return false;
    }
  }
  return true;
}

constexpr bool PinsExist(const Profile& p) {
  for (uint8_t role = 0; role < kPinRoles; ++role) {
    const int8_t pin = p.pins.at[role];
    if (pin == kNoPin) continue;
    if (!IsFree(p.chip, pin)) return false;
    // The ESP32's pins from 34 on have no output driver.
    if (p.chip == Chip::kEsp32 && pin >= 34 && !IsInputRole(role)) return false;
  }
  return true;
}

constexpr uint8_t StrappingPins(const Profile& p) {
  uint8_t n = 0;
  for (const int8_t pin : p.pins.at) n = static_cast<uint8_t>(n + (pin != kNoPin && IsStrapping(p.chip, pin) ? 1 : 0));
  return n;
}

constexpr bool InputsAreDistinct(const Profile& p) {
  for (uint8_t i = 0; i < p.n_inputs; ++i) {
    if (p.inputs[i].chip > 1 || p.inputs[i].channel > 7) return false;
    if ((p.inputs[i].use == Use::kKnob) != (p.inputs[i].parameter != nullptr)) return false;
    for (uint8_t k = 0; k < i; ++k) {
      if (p.inputs[i].chip == p.inputs[k].chip && p.inputs[i].channel == p.inputs[k].channel) return false;
    }
  }
  return true;
}

constexpr uint8_t InputsOf(const Profile& p, Use use) {
  uint8_t n = 0;
  for (uint8_t i = 0; i < p.n_inputs; ++i) n = static_cast<uint8_t>(n + (p.inputs[i].use == use ? 1 : 0));
  return n;
}

constexpr bool HasAllInputs(const Profile& p) {
  return p.n_inputs <= kMaxInputs && InputsOf(p, Use::kPhotodiode) == 1 && InputsOf(p, Use::kCurrentIn) == 1 &&
         InputsOf(p, Use::kSyn1Vm) == 1 && InputsOf(p, Use::kSyn2Vm) == 1 && InputsOf(p, Use::kKnob) == 7;
}

/// The pins that the kind of converter needs are there, and no others: a board without one must not drive its pins.
constexpr bool DacFits(const Profile& p) {
  const bool internal = p.pins.at[kAxonAnalogue] == 25 && p.pins.at[kStimulusAnalogue] == 26;
  const bool no_internal = !p.pins.Has(kAxonAnalogue) && !p.pins.Has(kStimulusAnalogue);
  if (p.dac == Dac::kInternal) return p.chip == Chip::kEsp32 && internal && !p.pins.Has(kCsDac);
  return no_internal && p.pins.Has(kCsDac) == (p.dac == Dac::kMcp4922);
}

constexpr bool CanBe(const Profile& p) {
  return PinsAreDistinct(p) && PinsExist(p) && InputsAreDistinct(p) && HasAllInputs(p) && DacFits(p) &&
         StrappingPins(p) == p.n_strapping;
}

}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_PROFILE_H_
