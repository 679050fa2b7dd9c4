/// Pins and converter inputs of Spikeling v1, an Arduino Nano (ATmega328P at 16 MHz and 5 V). Every pin is named here,
/// and nowhere else.
#ifndef SPIKEDAQ_V1_PROFILE_H_
#define SPIKEDAQ_V1_PROFILE_H_

#include <avr/io.h>
#include <stdint.h>

namespace spikedaq {
namespace v1 {

/// D0-D7 are port D, D8-D13 port B: one instruction each, where the number is known.
inline bool IsHigh(uint8_t pin) { return ((pin < 8 ? PIND : PINB) & (1u << pin % 8)) != 0; }
inline void SetHigh(uint8_t pin) {
  if (pin < 8) {
    PORTD = static_cast<uint8_t>(PORTD | 1u << pin % 8);
  } else {
    PORTB = static_cast<uint8_t>(PORTB | 1u << pin % 8);
  }
}
inline void SetLow(uint8_t pin) {
  if (pin < 8) {
    PORTD = static_cast<uint8_t>(PORTD & ~(1u << pin % 8));
  } else {
    PORTB = static_cast<uint8_t>(PORTB & ~(1u << pin % 8));
  }
}
inline void MakeOutput(uint8_t pin) {
  if (pin < 8) {
    DDRD = static_cast<uint8_t>(DDRD | 1u << pin % 8);
  } else {
    DDRB = static_cast<uint8_t>(DDRB | 1u << pin % 8);
  }
}

struct Profile {
  // Inputs of the converter, A0 to A7.
  uint8_t photodiode;
  uint8_t analogue_in;
  uint8_t vm_knob;
  uint8_t noise_knob;
  uint8_t syn1_knob;
  uint8_t syn2_knob;
  /// The board's knobs give less voltage where they are turned up.
  bool knobs_inverted;
  // Digital pins, D0 to D13. D0 and D1 are the UART; D9 and D11 are what timers 1 and 2 can modulate.
  uint8_t button;  ///< High while pressed.
  uint8_t axon;
  uint8_t syn1;
  uint8_t syn2;
  uint8_t vm_led;  ///< PWM, OC1A.
  uint8_t vm_out;  ///< PWM, OC2A, smoothed on the board.
  uint8_t lamp;    ///< The Nano's own LED.
};

constexpr Profile kProfile = {0, 2, 3, 6, 7, 5, true, 2, 3, 4, 5, 9, 11, 13};

/// 16 MHz / (8 * (3 + 1)) = 500,000 exactly, with U2X.
constexpr uint32_t kBaud = 500000;

/// The shortest step that the processor holds, and the default (docs/reference/boards/v1.md has the budget).
constexpr uint32_t kStepUs = 1000;

}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_PROFILE_H_
