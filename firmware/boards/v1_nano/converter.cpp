#include "converter.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "profile.h"

namespace spikedaq {
namespace v1 {
namespace converter {
namespace {

// 125 kHz, within the 50 to 200 kHz of full resolution: 13 cycles take 104 us.
constexpr uint8_t kOn = _BV(ADEN) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0);

volatile uint16_t counts[kInputs];
uint8_t sequences = 0;
uint8_t running = kInputs;        // input of the conversion that runs; kInputs for none
uint8_t next_knob = kFastInputs;  // the knob of the sequence that runs
volatile uint8_t fresh_knob = kInputs;

inline uint8_t Channel(uint8_t input) {
  switch (input) {
    case kPhotodiode:
      return kProfile.photodiode;
    case kAnalogueIn:
      return kProfile.analogue_in;
    case kVmKnob:
      return kProfile.vm_knob;
    case kNoiseKnob:
      return kProfile.noise_knob;
    case kSyn1Knob:
      return kProfile.syn1_knob;
    default:
      return kProfile.syn2_knob;
  }
}

// Against AVCC, which is the 5 V of the board.
inline void Select(uint8_t input) { ADMUX = static_cast<uint8_t>(_BV(REFS0) | Channel(input)); }

inline void Start(uint8_t input) {
  running = input;
  Select(input);
  ADCSRA = kOn | _BV(ADIE) | _BV(ADIF) | _BV(ADSC);
}

}  // namespace

ISR(ADC_vect) {
  const uint8_t done = running;
  if (done >= kInputs) return;
  counts[done] = ADC;
  if (done + 1 < kFastInputs) return Start(static_cast<uint8_t>(done + 1));
  sequences = static_cast<uint8_t>(sequences + (done < kFastInputs ? 1 : 0));
  if (done < kFastInputs && sequences % kStepsPerKnob == 0) return Start(next_knob);
  running = kInputs;
  if (done < kFastInputs) return;
  fresh_knob = done;
  next_knob = static_cast<uint8_t>(done + 1 == kInputs ? kFastInputs : done + 1);
}

void Begin() {
  // The analogue pins need no digital receivers.
  DIDR0 = 0x3F;
  ADCSRA = kOn;
  for (uint8_t input = 0; input < kInputs; ++input) {
    ReadNow(static_cast<Input>(input));
    counts[input] = ReadNow(static_cast<Input>(input));
  }
}

uint16_t ReadNow(Input input) {
  Select(input);
  ADCSRA = kOn | _BV(ADIF) | _BV(ADSC);
  while ((ADCSRA & _BV(ADSC)) != 0) {
  }
  return ADC;
}

void StartSequence() {
  const uint8_t status = SREG;
  cli();
  if (running == kInputs) Start(0);
  SREG = status;
}

uint16_t Count(Input input) {
  const uint8_t status = SREG;
  cli();
  const uint16_t count = counts[input];
  SREG = status;
  return count;
}

uint8_t TakeFreshKnob() {
  const uint8_t status = SREG;
  cli();
  const uint8_t knob = fresh_knob;
  fresh_knob = kInputs;
  SREG = status;
  return knob;
}

}  // namespace converter
}  // namespace v1
}  // namespace spikedaq
