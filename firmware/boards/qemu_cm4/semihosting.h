/// What an image may ask of the simulator it runs in. QEMU must be started with -semihosting-config.
///
/// Source: Arm, "Semihosting for AArch32 and AArch64", release 2.
#ifndef SPIKEDAQ_QEMU_CM4_SEMIHOSTING_H_
#define SPIKEDAQ_QEMU_CM4_SEMIHOSTING_H_

#include <stddef.h>
#include <stdint.h>

namespace spikedaq {
namespace cm4 {

/// Writes a text on the simulator's stderr.
void Say(const char* text);

/// Ends the simulator, with status 0 or 1.
[[noreturn]] void Exit(bool good);

/// Finds `name=` among the image's arguments (arg=..., separated by blanks), and reads the number after it.
///
/// @param[in] base  10 or 16.
/// @returns the number, or `otherwise` where the argument is absent.
uint64_t Argument(const char* name, uint32_t base, uint64_t otherwise);

}  // namespace cm4
}  // namespace spikedaq

#endif  // SPIKEDAQ_QEMU_CM4_SEMIHOSTING_H_
