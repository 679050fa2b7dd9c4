// What an image computes, in about 5,000 steps: the neuron with each of its inputs, the maps of knobs and jacks, and
// the bytes of the wire. Each line holds bits, not decimals: float in hexadecimal, and the CRC of all values since the
// last.
#include "trace.h"

#include <string.h>

#include "neuron/jacks.h"
#include "neuron/knobs.h"
#include "neuron/neuron.h"
#include "sampling/block_encoder.h"
#include "sampling/sampler.h"
#include "wire/crc32.h"
#include "wire/frame.h"
#include "wire/transmitter.h"

namespace spikedaq {
namespace golden {
namespace {

constexpr uint16_t kStepsPerLine = 100;

void Put(const char* text) {
  while (*text != '\0') PutByte(static_cast<uint8_t>(*text++));
}

void PutHex(uint32_t value, uint8_t digits) {
  while (digits-- > 0) {
    const uint8_t digit = static_cast<uint8_t>(value >> (4 * digits) & 15);
    PutByte(static_cast<uint8_t>(digit < 10 ? '0' + digit : 'a' + digit - 10));
  }
}

void PutNumber(uint32_t value) {
  if (value >= 10) PutNumber(value / 10);
  PutByte(static_cast<uint8_t>('0' + value % 10));
}

uint32_t BitsOf(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// The CRC of everything since the last line. Every target is little-endian.
class Digest {
 public:
  template <class T>
  void Add(const T& value) {
    crc_ = wire::Crc32(reinterpret_cast<const uint8_t*>(&value), sizeof value, crc_);
  }
  void Line(const char* name, uint32_t number, float v, float u) {
    Put(name);
    Put(" ");
    PutNumber(number);
    Put(" v ");
    PutHex(BitsOf(v), 8);
    Put(" u ");
    PutHex(BitsOf(u), 8);
    Line();
  }
  void Line() {
    Put(" crc ");
    PutHex(crc_, 8);
    Put("\n");
    crc_ = 0;
  }

 private:
  uint32_t crc_ = 0;
};

Digest digest;

void AddSample(const Sample<float>& s) {
  int16_t raw[kChannelCount];
  bool saturated = false;
  ToRaw(s, raw, &saturated);
  digest.Add(s.v);
  digest.Add(s.i_total);
  digest.Add(s.photo_i);
  digest.Add(s.noise_i);
  digest.Add(s.stimulus * 0.01f);
  digest.Add(raw);
  digest.Add(static_cast<uint8_t>(saturated | s.spike << 1 | s.axon_level << 2 | s.waveform_ended << 3));
  digest.Add(s.loop);
}

Inputs<float> InputsOf(uint16_t step) {
  Inputs<float> inputs;
  inputs.photodiode_drive = static_cast<float>(4 * (step / 70 % 2));
  inputs.current_in = static_cast<float>(static_cast<int16_t>(step % 50) - 25) * 0.125f;
  inputs.syn1_level = step % 97 < 5;
  inputs.syn2_level = step % 41 < 7;
  inputs.syn1_vm_mv = SynapseVm<float>(static_cast<float>(step * 37u % 4096u));
  inputs.syn2_vm_mv = SynapseVm<float>(static_cast<float>(step * 101u % 4096u));
  return inputs;
}

void SetEverything(Neuron<float>* neuron) {
  Parameters<float>& p = neuron->parameters();
  p.i_clamp = 12;
  p.noise_sd = 1.5f;
  p.photo_gain = 3;
  p.syn1_gain = 6;
  p.syn2_gain = -3;
  p.stim_strength = 60;
  p.stim_period = 40;
}

// Also the shape of one spike, in full.
void Presets(Neuron<float>* neuron) {
  for (uint8_t preset = 0; preset < kPresetCount; ++preset) {
    neuron->SetPreset(preset);
    for (uint16_t step = 0; step < kStepsPerLine; ++step) AddSample(neuron->Step(InputsOf(step)));
    digest.Line("preset", preset, neuron->membrane().v, neuron->membrane().u);
  }
  neuron->SetCustom(0.03f, 0.23f, -57.5f, 3.25f, -66.5f);
  neuron->parameters().i_clamp = 20;
  for (uint16_t step = 0; step < 3 * kStepsPerLine; ++step) {
    AddSample(neuron->Step(InputsOf(step)));
    if (step % kStepsPerLine == kStepsPerLine - 1) {
      digest.Line("custom", step, neuron->membrane().v, neuron->membrane().u);
    }
  }
  for (uint8_t step = 0; step < 8; ++step) {
    const Sample<float> s = neuron->Step(InputsOf(step));
    Put("step ");
    PutNumber(step);
    Put(" v ");
    PutHex(BitsOf(s.v), 8);
    Put(" i ");
    PutHex(BitsOf(s.i_total), 8);
    AddSample(s);
    digest.Line();
  }
}

// A waveform of 64 rows, once and in a loop, stopped within it.
void Waveform(Neuron<float>* neuron) {
  static int16_t rows[64];
  for (uint8_t k = 0; k < 64; ++k) rows[k] = static_cast<int16_t>(static_cast<int16_t>(k * 313 % 200 - 100) * 100);
  neuron->SetWaveform(rows, 64);
  neuron->PlayWaveform(false);
  for (uint16_t step = 0; step < 4 * kStepsPerLine; ++step) {
    if (step == 150) neuron->PlayWaveform(true);
    if (step == 333) neuron->StopWaveform();
    AddSample(neuron->Step(InputsOf(step)));
    if (step % kStepsPerLine == kStepsPerLine - 1) {
      digest.Line("waveform", step, neuron->membrane().v, neuron->membrane().u);
    }
  }
}

void Clamp(Neuron<float>* neuron) {
  const int8_t holds[8] = {-110, -80, -62, -40, -20, 0, 10, 30};
  for (uint8_t k = 0; k < 8; ++k) {
    neuron->SetPreset(static_cast<uint8_t>(k * 3 % kPresetCount));
    neuron->SetVoltageClamp(k != 5, k % 2 == 0);
    neuron->SetHold(static_cast<float>(holds[k]) + 0.25f);
    for (uint16_t step = 0; step < kStepsPerLine; ++step) {
      const Sample<float> s = neuron->Step(InputsOf(step));
      AddSample(s);
      digest.Add(s.v_command);
      digest.Add(s.clamp_out);
    }
    digest.Line("clamp", k, neuron->membrane().v, neuron->membrane().u);
  }
  neuron->SetVoltageClamp(false, false);
}

// Every map of knobs and jacks, over the counts of a converter and beyond the ends of their ranges.
void Maps() {
  KnobFilter<float> filter;
  Photodiode<float> photodiode;
  CurrentIn<float> current_in;
  photodiode.SetDark(100.5f);
  for (uint16_t counts = 0; counts <= kAdcMax; counts = static_cast<uint16_t>(counts + 13)) {
    const float x = static_cast<float>(counts);
    digest.Add(PatchCurrent(x));
    digest.Add(PhotoGain(x));
    digest.Add(SynapseGain(x));
    digest.Add(NoiseSd(x));
    digest.Add(StimulusStrength(x));
    digest.Add(StimulusPeriod(x));
    digest.Add(SynapseVm(x));
    digest.Add(AxonCode(x * 0.0625f - 120.0f));
    digest.Add(StimulusCode(x * 0.0625f - 120.0f));
    digest.Add(StimulusDuty(x * 0.0625f - 120.0f));
    digest.Add(filter.Update(static_cast<uint16_t>(counts ^ 5u)));
    digest.Add(photodiode.Update(counts));
    digest.Add(current_in.Update(static_cast<uint16_t>(2048u + counts % 300u / 100u)));
  }
  Put("maps");
  digest.Line();
}

// Noisy and quiet blocks through sampler, codec, CRC and COBS; the last one byte for byte.
void Wire(Neuron<float>* neuron) {
  constexpr uint8_t kSamples = 10;
  constexpr uint8_t kBothCodecs = 1 << wire::kCodecRaw | 1 << wire::kCodecPacked;
  static sampling::BlockHead heads[2];
  static int16_t values[2 * kSamples * kChannelCount];
  static uint8_t scratch[256];
  static uint8_t ring[256];
  sampling::Sampler sampler(heads, values, 2, kSamples, kChannelCount);
  wire::Transmitter transmitter(scratch, sizeof scratch, ring, sizeof ring);
  sampler.Start(kSamples);
  uint64_t step = 0xFFFFFFFBu;  // its 33rd bit comes within the first block
  for (uint8_t block = 0; block < 8; ++block) {
    neuron->parameters().noise_sd = block < 4 ? 5.0f : 0.0f;
    neuron->parameters().i_clamp = block < 6 ? 10.0f : 0.0f;
    if (block == 6) neuron->Reset();
    for (uint8_t k = 0; k < kSamples; ++k, ++step) {
      int16_t raw[kChannelCount];
      bool saturated = false;
      const Inputs<float> at_rest;
      ToRaw(neuron->Step(block < 6 ? InputsOf(static_cast<uint16_t>(step % 1000)) : at_rest), raw, &saturated);
      sampler.Push(step, step * 1000, 1000, raw, saturated ? wire::kBlockSaturated : uint8_t{0});
    }
    wire::Writer writer = transmitter.Begin();
    const uint8_t codec = sampling::EncodeOldest(sampler, transmitter.seq(), writer, kBothCodecs);
    transmitter.Commit(writer);
    sampler.Release();
    Put("block ");
    PutNumber(block);
    Put(" codec ");
    PutNumber(codec);
    Put(" bytes ");
    PutNumber(static_cast<uint32_t>(transmitter.size()));
    for (size_t k = 0; k < transmitter.size(); ++k) digest.Add(transmitter.bytes()[k]);
    digest.Line();
    if (block == 7) {
      for (size_t k = 0; k < transmitter.size(); ++k) PutHex(transmitter.bytes()[k], 2);
      Put("\n");
    }
    transmitter.Taken(transmitter.size());
  }
}

}  // namespace

void Trace() {
  static Neuron<float> neuron(42);
  SetEverything(&neuron);
  Presets(&neuron);
  Waveform(&neuron);
  Clamp(&neuron);
  Maps();
  Wire(&neuron);
  Put("end\n");
}

}  // namespace golden
}  // namespace spikedaq
