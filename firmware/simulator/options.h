/// The command line of spikedaq-simavr.
#ifndef SPIKEDAQ_SIMULATOR_OPTIONS_H_
#define SPIKEDAQ_SIMULATOR_OPTIONS_H_

#include <stdint.h>

#include <string>
#include <vector>

namespace spikedaq {
namespace simulator {

/// A voltage or a level that is at an input from a moment on.
struct InputChange {
  double time_s = 0;
  bool analogue = false;
  char port = 0;        ///< 'B', 'C' or 'D', if digital.
  uint8_t channel = 0;  ///< ADC channel, or bit of the port.
  uint32_t value = 0;   ///< Millivolts, or 0 and 1.
};

struct Options {
  std::string elf;
  std::string mcu = "atmega328p";
  uint32_t hz = 16000000;
  std::string link;     ///< Symbolic link to the pty; empty for tcp.
  int tcp_port = -1;    ///< On the loopback; 0 takes any free one.
  double speed = 1;     ///< Times real time; 0 for as fast as possible.
  double seconds = 0;   ///< Simulated; 0 for no end.
  double lifetime = 0;  ///< Seconds of wall time; 0 for no end.
  bool lossless = false;
  bool reset_on_open = false;
  double bootloader_s = 0;          ///< After a reset but the watchdog's; simulated.
  std::vector<InputChange> inputs;  ///< Sorted by time.
  std::string eeprom;
  std::string report;
};

/// Reads the command line. On --help it prints and exits with 0, on a mistake it says which and exits with 2.
Options ParseOptions(int argc, char** argv);

/// Says what is wrong, and what to do, on stderr; ends the process with `status`.
[[noreturn]] void Fail(int status, const std::string& message);

}  // namespace simulator
}  // namespace spikedaq

#endif  // SPIKEDAQ_SIMULATOR_OPTIONS_H_
