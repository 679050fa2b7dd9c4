// The float32 neuron, bit for bit, against another implementation (float32_trace.py). Compiled with -ffp-contract=off
// every target and every level of optimisation gives these numbers.
#include <doctest/doctest.h>

#include <cstring>

#include "neuron/neuron.h"

using spikedaq::Inputs;
using spikedaq::Neuron;
using spikedaq::Noise;
using spikedaq::Sample;

namespace {

void Hash(const void* data, size_t size, uint64_t* digest) {
  const unsigned char* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < size; ++i) *digest = (*digest ^ bytes[i]) * 0x100000001B3u;
}

}  // namespace

TEST_CASE("float32: the generator gives the numbers of xoshiro128++ seeded by splitmix64") {
  const uint32_t of_seed_0[] = {0x4653DAA3, 0x73922B58, 0xB82B4ADD, 0xD9FABD3B};
  const uint32_t of_seed_1[] = {0x7FF78DE4, 0x9A170265, 0xDAC127B8, 0x9859E914};
  Noise zero(0), one(1);
  for (int i = 0; i < 4; ++i) {
    CHECK(zero.Next() == of_seed_0[i]);
    CHECK(one.Next() == of_seed_1[i]);
  }
}

TEST_CASE("float32: 40,000 steps through every preset with every input give the same bits as numpy") {
  Neuron<float> neuron(42);
  spikedaq::Parameters<float>& p = neuron.parameters();
  p.i_clamp = 12;
  p.noise_sd = 1.5f;
  p.photo_gain = 3;
  p.syn1_gain = 6;
  p.syn2_gain = -3;
  p.stim_strength = 60;
  uint64_t digest = 0xCBF29CE484222325u;
  bool saturated = false;
  for (int step = 0; step < 40000; ++step) {
    if (step % 1000 == 0) neuron.SetPreset(static_cast<uint8_t>(step / 1000 % 20));
    Inputs<float> inputs;
    inputs.photodiode_drive = static_cast<float>(4 * (step / 700 % 2));
    inputs.current_in = static_cast<float>(step % 50 - 25) * 0.125f;
    inputs.syn1_level = step % 97 < 5;
    inputs.syn2_level = step % 211 < 7;
    const Sample<float> s = neuron.Step(inputs);
    int16_t raw[spikedaq::kChannelCount];
    spikedaq::ToRaw(s, raw, &saturated);
    Hash(&s.v, sizeof s.v, &digest);
    Hash(&s.i_total, sizeof s.i_total, &digest);
    Hash(raw, sizeof raw, &digest);
  }
  CHECK(digest == 0xB166F867B7C27A8Fu);
  CHECK_FALSE(saturated);
}
