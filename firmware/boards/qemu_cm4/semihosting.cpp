#include "semihosting.h"

#include <string.h>

namespace spikedaq {
namespace cm4 {
namespace {

constexpr uint32_t kWrite0 = 0x04, kGetCommandLine = 0x15, kExit = 0x18;
constexpr uint32_t kApplicationExit = 0x20026, kInternalError = 0x20024;

uint32_t Call(uint32_t operation, uint32_t argument) {
  register uint32_t r0 __asm("r0") = operation;
  register uint32_t r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

uint32_t AddressOf(const void* p) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(p)); }

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return 255;
}

}  // namespace

void Say(const char* text) { Call(kWrite0, AddressOf(text)); }

void Exit(bool good) {
  Call(kExit, good ? kApplicationExit : kInternalError);
  for (;;) {
  }
}

uint64_t Argument(const char* name, uint32_t base, uint64_t otherwise) {
  static char line[256];
  uint32_t block[2] = {AddressOf(line), sizeof line};
  if (Call(kGetCommandLine, AddressOf(block)) != 0) return otherwise;
  line[sizeof line - 1] = '\0';
  const size_t n = strlen(name);
  for (const char* at = line; *at != '\0'; ++at) {
    if ((at != line && at[-1] != ' ') || memcmp(at, name, n) != 0 || at[n] != '=') continue;
    uint64_t value = 0;
    for (at += n + 1; static_cast<uint32_t>(DigitOf(*at)) < base; ++at) {
      value = value * base + static_cast<uint32_t>(DigitOf(*at));
    }
    return value;
  }
  return otherwise;
}

}  // namespace cm4
}  // namespace spikedaq
