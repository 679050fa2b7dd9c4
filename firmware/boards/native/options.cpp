#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_info.h"

namespace spikedaq {
namespace native {
namespace {

const char kUsage[] =
    "usage: spikedaq-device (--pty [SYMLINK] | --tcp HOST:PORT | --stdio) [options]\n"
    "A virtual Spikeling: the firmware, compiled for this computer.\n"
    "\n"
    "  --pty [SYMLINK]        offer a pseudo-terminal, and a symbolic link to it\n"
    "  --tcp HOST:PORT        listen for one client at a time; port 0 takes any free one\n"
    "  --stdio                speak on stdin and stdout; ends when stdin ends\n"
    "  --rate HZ              steps per second (default 10000); must divide 1000000\n"
    "  --step-us US           or the time of one step, 10 to 1000000 us\n"
    "  --preset N             neuron, 0 to 19\n"
    "  --param NAME=VALUE     a parameter as if the host had set it; may be repeated\n"
    "  --knob NAME=COUNTS     a knob at this ADC count, 0 to 4095; may be repeated\n"
    "  --seed N               of the noise, and of what is random at boot but for the boot id\n"
    "  --id HEX16             unique id, 16 hex digits; otherwise made of the name\n"
    "  --name NAME            default: virtual\n"
    "  --boot-id N            otherwise random; a reboot adds 1\n"
    "  --tick-start N         microsecond counter at boot; otherwise pseudo-random\n"
    "  --record-truth FILE    write every step that is made (firmware/boards/native/truth.h)\n"
    "  --as-fast-as-possible  while it streams, as fast as the link takes it; nothing is discarded\n"
    "  --duration STEPS       end by itself once so many steps were streamed and read\n"
    "  --axon PATH            send the axon to a Unix socket; may be repeated\n"
    "  --syn1 PATH, --syn2 PATH   a synapse jack: listen on a Unix socket\n"
    "  --loopback             a cable from the stimulus output to the current-in jack\n"
    "  --resend-depth N       frames that can be sent again (default 128); 0 for none\n"
    "  --resend-bytes N       memory that they share (default 98304); 0 for none\n"
    "  --protocol-major N     state another protocol version (for tests)\n"
    "  --die-with-parent      end when the parent process does\n"
    "  --report               say at the end, on stderr, how it went (JSON)\n"
    "  --fault SPEC           what goes wrong, name=value,name=value; may be repeated:\n"
    "      seed=N             the same seed damages the same bytes\n"
    "      flip=P drop=P      probability per bit and per byte, each way\n"
    "      drop_frame=P duplicate=P truncate=P   per frame\n"
    "      delay_ms=T jitter_ms=T   each delivery comes so much later, and up to so much more\n"
    "      stall_every_s=T stall_for_s=T   on average so often nothing passes for so long\n"
    "      unplug_every_s=T unplug_for_s=T   the port vanishes and comes back\n"
    "      rename_every_s=T   and comes back under another name\n"
    "      reboot_every_s=T   the board boots again\n"
    "      skew_ppm=E skew_ramp_ppm_h=R skew_swing_ppm=A skew_period_s=P   its clock is off by E + R t + A sin(2 pi t "
    "/ P)\n"
    "  --fault-script FILE    lines of: time_s what arguments; FILE may be - for lines on stdin as they come, time_s "
    "now:\n"
    "      stall S, unplug S, rename S [NEW NAME], reboot, lose FRAMES, or a number of SPEC and its new value\n"
    "  --version, --help\n";

// Reads the value that must follow option `name`.
const char* Value(int argc, char** argv, int* i) {
  if (*i + 1 >= argc) Fail(2, std::string(argv[*i]) + " needs a value; see --help");
  return argv[++*i];
}

uint64_t Integer(const char* option, const char* text, uint64_t minimum, uint64_t maximum) {
  errno = 0;
  char* end = nullptr;
  const unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < minimum || value > maximum) {
    Fail(2, std::string(option) + " " + text + ": must be a whole number from " + std::to_string(minimum) + " to " +
                std::to_string(maximum));
  }
  return value;
}

std::pair<std::string, float> Assignment(const char* option, const char* text) {
  const char* equals = strchr(text, '=');
  char* end = nullptr;
  const float value = equals == nullptr ? 0.0f : strtof(equals + 1, &end);
  if (equals == nullptr || end == equals + 1 || *end != '\0') {
    Fail(2, std::string(option) + " " + text + ": must be name=number");
  }
  return {std::string(text, equals), value};
}

void ParseId(const char* text, uint8_t (&id)[8]) {
  if (strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16) {
    Fail(2, std::string("--id ") + text + ": must be 16 hex digits");
  }
  for (int k = 0; k < 8; ++k) id[k] = static_cast<uint8_t>(strtoul(std::string(text + 2 * k, 2).c_str(), nullptr, 16));
}

// FNV-1a, so that a name gives the same id always.
void IdOfName(const char* name, uint8_t (&id)[8]) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (; *name != '\0'; ++name) hash = (hash ^ static_cast<uint8_t>(*name)) * 0x100000001B3u;
  for (int k = 0; k < 8; ++k) id[k] = static_cast<uint8_t>(hash >> (56 - 8 * k));
}

void SetLink(Options* o, LinkKind kind, const char* address) {
  if (o->link != LinkKind::kNone) Fail(2, "only one of --pty, --tcp and --stdio can be given");
  o->link = kind;
  o->address = address;
}

}  // namespace

void Fail(int status, const std::string& message) {
  fprintf(stderr, "spikedaq-device: %s\n", message.c_str());
  exit(status);
}

Options ParseOptions(int argc, char** argv) {
  Options o;
  const char* name = "virtual";
  const char* id = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const char* option = argv[i];
    if (arg == "--pty") {
      const bool has_path = i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0;
      SetLink(&o, LinkKind::kPty, has_path ? argv[++i] : "");
    } else if (arg == "--tcp") {
      SetLink(&o, LinkKind::kTcp, Value(argc, argv, &i));
    } else if (arg == "--stdio") {
      SetLink(&o, LinkKind::kStdio, "");
    } else if (arg == "--rate") {
      const uint64_t hz = Integer(option, Value(argc, argv, &i), 1, 100000);
      if (1000000 % hz != 0) Fail(2, "--rate " + std::to_string(hz) + ": must divide 1000000, for a step is whole us");
      o.step_us = static_cast<uint32_t>(1000000 / hz);
    } else if (arg == "--step-us") {
      o.step_us = static_cast<uint32_t>(Integer(option, Value(argc, argv, &i), 10, 1000000));
    } else if (arg == "--preset") {
      o.parameters.emplace_back("preset", static_cast<float>(Integer(option, Value(argc, argv, &i), 0, 19)));
    } else if (arg == "--param") {
      o.parameters.push_back(Assignment(option, Value(argc, argv, &i)));
    } else if (arg == "--knob") {
      o.knobs.push_back(Assignment(option, Value(argc, argv, &i)));
    } else if (arg == "--seed") {
      o.has_seed = true;
      o.seed = Integer(option, Value(argc, argv, &i), 0, UINT64_MAX);
    } else if (arg == "--id") {
      id = Value(argc, argv, &i);
    } else if (arg == "--name") {
      name = Value(argc, argv, &i);
    } else if (arg == "--boot-id") {
      o.has_boot_id = true;
      o.boot_id = static_cast<uint32_t>(Integer(option, Value(argc, argv, &i), 0, UINT32_MAX));
    } else if (arg == "--tick-start") {
      o.has_tick_start = true;
      o.tick_start = Integer(option, Value(argc, argv, &i), 0, uint64_t{1} << 62);
    } else if (arg == "--record-truth") {
      o.truth_path = Value(argc, argv, &i);
    } else if (arg == "--as-fast-as-possible") {
      o.as_fast_as_possible = true;
    } else if (arg == "--duration") {
      o.duration_steps = Integer(option, Value(argc, argv, &i), 1, UINT64_MAX);
    } else if (arg == "--axon") {
      o.axon_paths.push_back(Value(argc, argv, &i));
    } else if (arg == "--syn1" || arg == "--syn2") {
      o.syn_paths[arg == "--syn1" ? 0 : 1] = Value(argc, argv, &i);
    } else if (arg == "--loopback") {
      o.loopback = true;
    } else if (arg == "--resend-depth") {
      o.resend_depth = static_cast<uint16_t>(Integer(option, Value(argc, argv, &i), 0, UINT16_MAX));
    } else if (arg == "--resend-bytes") {
      o.resend_bytes = static_cast<uint32_t>(Integer(option, Value(argc, argv, &i), 0, 1u << 30));
    } else if (arg == "--protocol-major") {
      o.protocol_major = static_cast<uint8_t>(Integer(option, Value(argc, argv, &i), 0, 255));
    } else if (arg == "--die-with-parent") {
      o.die_with_parent = true;
    } else if (arg == "--report") {
      o.report = true;
    } else if (arg == "--fault") {
      const std::string text = Value(argc, argv, &i);
      std::string error;
      if (!ParseFaultSpec(text, &o.faults, &error)) Fail(2, "--fault " + text + ": " + error);
    } else if (arg == "--fault-script") {
      o.fault_script = Value(argc, argv, &i);
    } else if (arg == "--help" || arg == "-h") {
      fputs(kUsage, stdout);
      exit(0);
    } else if (arg == "--version") {
      printf("spikedaq-device %s (protocol 1.1, build %s)\n", SPIKEDAQ_VERSION, SPIKEDAQ_BUILD_HASH);
      exit(0);
    } else {
      Fail(2, "unknown option " + arg + "; see --help");
    }
  }
  if (o.link == LinkKind::kNone) Fail(2, "one of --pty, --tcp or --stdio must be given; see --help");
  if (o.link == LinkKind::kStdio && o.fault_script == "-") Fail(2, "--fault-script - needs stdin, which --stdio has");
  if (id != nullptr) {
    ParseId(id, o.unique_id);
  } else {
    IdOfName(name, o.unique_id);
  }
  return o;
}

}  // namespace native
}  // namespace spikedaq
