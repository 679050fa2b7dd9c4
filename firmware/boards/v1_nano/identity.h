/// Who this board is, and which boot this is.
#ifndef SPIKEDAQ_V1_IDENTITY_H_
#define SPIKEDAQ_V1_IDENTITY_H_

#include <stdint.h>

namespace spikedaq {
namespace v1 {

constexpr uint8_t kUniqueIdBytes = 10;

/// The chip's lot, wafer and place on it, from its signature row; or what EEPROM bytes 4 to 13 say, if they are not all
/// 0xFF.
void ReadUniqueId(uint8_t (&id)[kUniqueIdBytes]);

/// Another number at each of 2^32 boots: a counter in EEPROM bytes 0 to 3 is advanced and hashed with the unique id.
/// The EEPROM is good for 100,000 boots at least; a counter that has worn out may repeat an id.
uint32_t NextBootId();

}  // namespace v1
}  // namespace spikedaq

#endif  // SPIKEDAQ_V1_IDENTITY_H_
