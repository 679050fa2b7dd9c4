/// The command line of spikedaq-device.
#ifndef SPIKEDAQ_NATIVE_OPTIONS_H_
#define SPIKEDAQ_NATIVE_OPTIONS_H_

#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

#include "fault_spec.h"

namespace spikedaq {
namespace native {

enum class LinkKind { kNone, kPty, kTcp, kStdio };

struct Options {
  LinkKind link = LinkKind::kNone;
  std::string address;  ///< Symbolic link of the pty (may be empty), or HOST:PORT.
  uint32_t step_us = 100;
  bool has_seed = false;
  uint64_t seed = 0;
  uint8_t unique_id[8] = {};
  bool has_boot_id = false;
  uint32_t boot_id = 0;
  bool has_tick_start = false;
  uint64_t tick_start = 0;
  std::vector<std::pair<std::string, float>> parameters;  ///< In the order given; --preset is one of them.
  std::vector<std::pair<std::string, float>> knobs;       ///< ADC counts, 0 to 4095.
  std::string truth_path;
  bool as_fast_as_possible = false;
  uint64_t duration_steps = 0;  ///< 0: for ever.
  std::vector<std::string> axon_paths;
  std::string syn_paths[2];
  bool loopback = false;
  uint8_t protocol_major = 1;
  uint16_t resend_depth = 128;  ///< Those of a v3 board.
  uint32_t resend_bytes = 96 * 1024;
  bool die_with_parent = false;
  bool report = false;
  FaultSpec faults;
  std::string fault_script;  ///< A path, or "-" for stdin.
};

/// Reads the command line. On --help and --version it prints and exits with 0, on a mistake it says which and exits
/// with 2.
Options ParseOptions(int argc, char** argv);

/// Says what is wrong, and what to do, on stderr; ends the process with `status`.
[[noreturn]] void Fail(int status, const std::string& message);

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_OPTIONS_H_
