#include "identity.h"

#include <avr/boot.h>
#include <avr/eeprom.h>

#include "wire/crc32.h"

namespace spikedaq {
namespace v1 {
namespace {

uint32_t* const kBootCounter = nullptr;                        // EEPROM address 0
const uint8_t* const kSerial = reinterpret_cast<uint8_t*>(4);  // EEPROM address 4
constexpr uint8_t kSignatureSerial = 0x0E;  // of the signature row; named by the data sheet of the ATmega328PB

}  // namespace

void ReadUniqueId(uint8_t (&id)[kUniqueIdBytes]) {
  uint8_t all = 0xFF;
  eeprom_read_block(id, kSerial, sizeof id);
  for (const uint8_t byte : id) all = static_cast<uint8_t>(all & byte);
  if (all != 0xFF) return;
  for (uint8_t k = 0; k < sizeof id; ++k) id[k] = boot_signature_byte_get(static_cast<uint16_t>(kSignatureSerial + k));
}

uint32_t NextBootId() {
  struct {
    uint32_t counter;
    uint8_t id[kUniqueIdBytes];
  } seed;
  seed.counter = eeprom_read_dword(kBootCounter) + 1;
  eeprom_update_dword(kBootCounter, seed.counter);
  ReadUniqueId(seed.id);
  return wire::Crc32(reinterpret_cast<const uint8_t*>(&seed), sizeof seed);
}

}  // namespace v1
}  // namespace spikedaq
