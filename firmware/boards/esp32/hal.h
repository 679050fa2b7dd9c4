/// Everything that the boards with an ESP32 ask of the chip, and nothing else. hal_idf.cpp does it with Espressif's
/// drivers; the tests do it with memory.
#ifndef SPIKEDAQ_ESP32_HAL_H_
#define SPIKEDAQ_ESP32_HAL_H_

#include <stddef.h>
#include <stdint.h>

namespace spikedaq {
namespace esp32 {
namespace hal {

/// Pins. `Input` also lets go of a pin that was an output.
void Output(int8_t pin, bool level);
void Input(int8_t pin, bool pull_down);
void Write(int8_t pin, bool level);
bool Read(int8_t pin);

/// The one SPI bus, mode 0, at most three devices on it.
void SpiBegin(int8_t sck, int8_t mosi, int8_t miso);
void SpiAttach(uint8_t device, int8_t cs, uint32_t hz);
/// Sends `n` bytes (at most 4) and puts what came back in their place. Waits for the bus.
void SpiTransfer(uint8_t device, uint8_t* bytes, uint8_t n);

/// Light and colours: 20 kHz, duty 0 to 1023. At most eight channels.
void PwmAttach(uint8_t channel, int8_t pin);
void PwmWrite(uint8_t channel, uint16_t duty);

/// The chip's own converters, 8 bits: 0 is pin 25, 1 is pin 26. Not on an ESP32-S3.
void InternalDacBegin(uint8_t which);
void InternalDacWrite(uint8_t which, uint8_t code);

/// Microseconds since the chip started. Never goes back.
uint64_t Microseconds();
/// The address that Espressif burnt into the chip.
void UniqueId(uint8_t id[6]);
uint32_t Random();

/// The link. Both return how many bytes they moved, and never wait: with nobody at the other end `LinkWrite` gives 0.
void LinkBegin();
size_t LinkWrite(const uint8_t* bytes, size_t n);
size_t LinkRead(uint8_t* bytes, size_t n);

}  // namespace hal
}  // namespace esp32
}  // namespace spikedaq

#endif  // SPIKEDAQ_ESP32_HAL_H_
