#include "options.h"

#include <stdio.h>
#include <stdlib.h>

#include "inputs.h"

namespace spikedaq {
namespace simulator {
namespace {

const char kUsage[] =
    "usage: spikedaq-simavr --elf FILE (--link PATH | --tcp PORT) [options]\n"
    "Runs the image of an AVR board; its UART0 is offered as a pseudo-terminal or a socket.\n"
    "\n"
    "  --elf FILE         the image\n"
    "  --link PATH        a pseudo-terminal, and this symbolic link to it\n"
    "  --tcp PORT         or listen on this loopback port; 0 takes any free one\n"
    "  --speed X          times real time (default 1); 0: as fast as possible\n"
    "  --seconds S        end after so many simulated seconds\n"
    "  --lifetime S       end after so many seconds of the wall clock, whatever happens\n"
    "  --drop-when-unread a byte that nobody takes is lost, as a UART loses it (default)\n"
    "  --lossless         or the processor waits until it is taken\n"
    "  --adc CHANNEL=MV   millivolts at an input of the converter; may be repeated\n"
    "  --pin PORTBIT=0|1  level at a pin, for instance D2=1; may be repeated\n"
    "  --script FILE      lines of: time_s CHANNEL|PORTBIT value    (# starts a comment)\n"
    "  --reset-on-open    whoever opens the line resets the board, as the Nano's DTR does\n"
    "  --bootloader S     after such a reset, and at power-on, the image starts so many seconds later\n"
    "  --eeprom FILE      keep the EEPROM in this file from run to run\n"
    "  --report FILE      write at the end how it went (JSON); - for stderr\n"
    "  --mcu NAME         default atmega328p\n"
    "  --hz N             clock of the processor, default 16000000\n"
    "\n"
    "SIGUSR1 unplugs the board (its power goes too), SIGUSR2 plugs it in again; SIGHUP presses its reset button.\n"
    "It ends when its parent process does.\n";

double Number(const char* option, const char* text, double minimum, double maximum) {
  char* end = nullptr;
  const double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= minimum && value <= maximum)) {
    Fail(2, std::string(option) + " " + text + ": must be a number from " + std::to_string(minimum) + " to " +
                std::to_string(maximum));
  }
  return value;
}

InputChange Assignment(const char* option, const std::string& text) {
  const size_t equals = text.find('=');
  InputChange change;
  if (equals == std::string::npos || !ParseInput(text.substr(0, equals), text.substr(equals + 1), &change)) {
    Fail(2, std::string(option) + " " + text + ": must be like 3=2500 (ADC channel 0 to 15, millivolts) or D2=1");
  }
  return change;
}

}  // namespace

void Fail(int status, const std::string& message) {
  fprintf(stderr, "spikedaq-simavr: %s\n", message.c_str());
  exit(status);
}

Options ParseOptions(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* option = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 >= argc) Fail(2, name + " needs a value; see --help");
      return argv[++i];
    };
    if (name == "--elf") {
      o.elf = value();
    } else if (name == "--link") {
      o.link = value();
    } else if (name == "--tcp") {
      o.tcp_port = static_cast<int>(Number(option, value(), 0, 65535));
    } else if (name == "--speed") {
      o.speed = Number(option, value(), 0, 1000);
    } else if (name == "--seconds") {
      o.seconds = Number(option, value(), 0, 1e9);
    } else if (name == "--lifetime") {
      o.lifetime = Number(option, value(), 0, 1e9);
    } else if (name == "--drop-when-unread") {
      o.lossless = false;
    } else if (name == "--lossless") {
      o.lossless = true;
    } else if (name == "--adc" || name == "--pin") {
      o.inputs.push_back(Assignment(option, value()));
    } else if (name == "--script") {
      ReadScript(value(), &o.inputs);
    } else if (name == "--reset-on-open") {
      o.reset_on_open = true;
    } else if (name == "--bootloader") {
      o.bootloader_s = Number(option, value(), 0, 60);
    } else if (name == "--eeprom") {
      o.eeprom = value();
    } else if (name == "--report") {
      o.report = value();
    } else if (name == "--mcu") {
      o.mcu = value();
    } else if (name == "--hz") {
      o.hz = static_cast<uint32_t>(Number(option, value(), 1, 1e9));
    } else if (name == "--help" || name == "-h") {
      fputs(kUsage, stdout);
      exit(0);
    } else {
      Fail(2, "unknown option " + name + "; see --help");
    }
  }
  if (o.elf.empty()) Fail(2, "--elf must name an image; see --help");
  if (o.link.empty() == (o.tcp_port < 0)) Fail(2, "one of --link and --tcp must be given; see --help");
  SortByTime(&o.inputs);
  return o;
}

}  // namespace simulator
}  // namespace spikedaq
