#include "fake_chip.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "esp32/hal.h"

namespace testing {
FakeChip chip;
}  // namespace testing

namespace spikedaq {
namespace esp32 {
namespace hal {

using testing::chip;
using Mode = testing::FakeChip::Mode;

void Output(int8_t pin, bool level) {
  REQUIRE(pin >= 0);
  chip.touched.insert(pin);
  chip.modes[pin] = Mode::kOutput;
  chip.levels[pin] = level;
}

void Input(int8_t pin, bool pull_down) {
  REQUIRE(pin >= 0);
  chip.touched.insert(pin);
  chip.modes[pin] = pull_down ? Mode::kInputPullDown : Mode::kInput;
}

void Write(int8_t pin, bool level) {
  REQUIRE(chip.modes.count(pin) == 1);
  REQUIRE(chip.modes[pin] == Mode::kOutput);
  chip.levels[pin] = level;
}

bool Read(int8_t pin) {
  REQUIRE(chip.modes.count(pin) == 1);
  REQUIRE(chip.modes[pin] != Mode::kOutput);
  return chip.levels[pin];
}

void SpiBegin(int8_t sck, int8_t mosi, int8_t miso) {
  chip.spi_begun = true;
  for (const int8_t pin : {sck, mosi, miso}) chip.touched.insert(pin);
}

void SpiAttach(uint8_t device, int8_t cs, uint32_t hz) {
  REQUIRE(chip.spi_begun);
  CHECK(hz <= (device == 2 ? 20000000u : 1000000u));
  chip.touched.insert(cs);
  chip.cs[device] = static_cast<uint8_t>(cs);
}

void SpiTransfer(uint8_t device, uint8_t* bytes, uint8_t n) {
  REQUIRE(chip.cs.count(device) == 1);
  if (device == 2) {
    REQUIRE(n == 2);
    chip.dac_words.push_back(static_cast<uint16_t>(bytes[0] << 8 | bytes[1]));
    return;
  }
  chip.now_us += chip.conversion_us;
  // MCP3208, datasheet figure 6-1: 00000 1 S D2, D1 D0 xxxxxx; the answer in the last twelve bits.
  REQUIRE(n == 3);
  REQUIRE((bytes[0] & 0xFE) == 0x06);
  const int channel = (bytes[0] & 1) << 2 | bytes[1] >> 6;
  chip.conversions.emplace_back(device, channel);
  const uint16_t count = chip.analogue[device][channel];
  bytes[0] = 0xFF;
  bytes[1] = static_cast<uint8_t>(0xE0 | count >> 8);  // undriven bits, and the null bit
  bytes[2] = static_cast<uint8_t>(count);
}

void PwmAttach(uint8_t channel, int8_t pin) {
  REQUIRE(channel < 8);
  chip.touched.insert(pin);
  chip.pwm_pins[channel] = pin;
}

void PwmWrite(uint8_t channel, uint16_t duty) {
  REQUIRE(chip.pwm_pins.count(channel) == 1);
  REQUIRE(duty <= 1023);
  chip.duties[chip.pwm_pins[channel]] = duty;
}

void InternalDacBegin(uint8_t which) { chip.touched.insert(25 + which); }

void InternalDacWrite(uint8_t which, uint8_t code) {
  REQUIRE(chip.touched.count(25 + which) == 1);
  chip.internal_dac[which].push_back(code);
}

uint64_t Microseconds() { return chip.now_us; }

void UniqueId(uint8_t id[6]) {
  for (uint8_t i = 0; i < 6; ++i) id[i] = static_cast<uint8_t>(0xA0 + i);
}

uint32_t Random() { return chip.random++; }

void LinkBegin() { chip.link_begun = true; }

size_t LinkWrite(const uint8_t* bytes, size_t n) {
  REQUIRE(chip.link_begun);
  const size_t taken = std::min(n, chip.room);
  chip.from_board.insert(chip.from_board.end(), bytes, bytes + taken);
  chip.room -= taken;
  return taken;
}

size_t LinkRead(uint8_t* bytes, size_t n) {
  const size_t taken = std::min(n, chip.to_board.size());
  std::copy_n(chip.to_board.begin(), taken, bytes);
  chip.to_board.erase(chip.to_board.begin(), chip.to_board.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken;
}

}  // namespace hal
}  // namespace esp32
}  // namespace spikedaq
