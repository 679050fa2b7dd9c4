/// A chip of memory: what the boards' code does to it can be looked at, and its inputs can be set.
#ifndef SPIKEDAQ_TEST_ESP32_FAKE_CHIP_H_
#define SPIKEDAQ_TEST_ESP32_FAKE_CHIP_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace testing {

struct FakeChip {
  enum class Mode { kInput, kInputPullDown, kOutput };
  std::map<int, Mode> modes;
  std::map<int, bool> levels;                    ///< Set by the board, or for it.
  std::set<int> touched;                         ///< Pins that the board has used for anything.
  std::map<int, int> pwm_pins;                   ///< Channel to pin.
  std::map<int, uint16_t> duties;                ///< Pin to duty.
  std::map<int, uint8_t> cs;                     ///< Device to its pin.
  uint16_t analogue[2][8] = {};                  ///< What stands at the converters' inputs.
  std::vector<std::pair<int, int>> conversions;  ///< Chip and channel, in order.
  std::vector<uint16_t> dac_words;               ///< As sent to the MCP4922.
  std::map<int, std::vector<uint8_t>> internal_dac;
  uint64_t now_us = 5000;
  uint32_t conversion_us = 0;  ///< How long a conversion takes.
  uint32_t random = 1;
  std::vector<uint8_t> to_board, from_board;
  std::size_t room = SIZE_MAX;
  bool link_begun = false;
  bool spi_begun = false;
};

/// The chip that the board's code drives; a new one for each test.
extern FakeChip chip;

}  // namespace testing

#endif  // SPIKEDAQ_TEST_ESP32_FAKE_CHIP_H_
