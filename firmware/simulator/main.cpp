// spikedaq-simavr: the real image of an AVR board, at its real speed, at the end of a pseudo-terminal or a socket.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "line.h"
#include "options.h"
#include "processor.h"

namespace spikedaq {
namespace simulator {
namespace {

constexpr double kTurnSeconds = 0.001;  // simulated; in between, bytes wait and inputs hold
constexpr int kDrainMs = 5000;

volatile sig_atomic_t stop_wanted = 0;
volatile sig_atomic_t unplug_wanted = 0;
volatile sig_atomic_t plug_wanted = 0;
volatile sig_atomic_t reset_wanted = 0;

void OnSignal(int signal) {
  if (signal == SIGUSR1) {
    unplug_wanted = 1;
  } else if (signal == SIGUSR2) {
    plug_wanted = 1;
  } else if (signal == SIGHUP) {
    reset_wanted = 1;
  } else {
    stop_wanted = 1;
  }
}

uint64_t NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

void SleepUntil(uint64_t ns) {
  const timespec t = {static_cast<time_t>(ns / 1000000000u), static_cast<long>(ns % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);  // a signal ends it early, which is as well
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options), line_(options), processor_(options, [this](uint8_t byte) { out_.push_back(byte); }) {
    if (!options.eeprom.empty()) processor_.LoadEeprom(options.eeprom);
  }

  int Run();

 private:
  double SimulatedSeconds() const { return static_cast<double>(processor_.cycle()) / options_.hz; }
  bool LifetimeOver() const {
    return options_.lifetime > 0 && static_cast<double>(NowNs() - start_ns_) * 1e-9 >= options_.lifetime;
  }
  void FollowSignals();
  void Reset(bool power);
  uint64_t BootTurns() const { return static_cast<uint64_t>(options_.bootloader_s / kTurnSeconds); }
  void MoveBytes();
  void ApplyInputs();
  void Report() const;

  const Options options_;
  Line line_;
  std::vector<uint8_t> out_;  // has left the UART, not yet taken by the reader
  Processor processor_;
  uint8_t in_[4096];
  size_t in_begin_ = 0;
  size_t in_end_ = 0;
  size_t next_input_ = 0;
  uint64_t boot_turns_ = 0;  // until the boot loader starts the image
  uint64_t start_ns_ = 0;
  uint64_t sent_ = 0;
  uint64_t dropped_ = 0;
  uint64_t received_ = 0;
  uint64_t worst_late_ns_ = 0;
  bool crashed_ = false;
};

void Program::FollowSignals() {
  if (unplug_wanted) {
    unplug_wanted = 0;
    line_.Unplug();
    out_.clear();
    in_begin_ = in_end_ = 0;
  }
  if (plug_wanted) {
    plug_wanted = 0;
    if (!line_.plugged()) {
      line_.Plug();
      Reset(true);  // its power came over the cable
    }
  }
  if (line_.TakeOpened() && options_.reset_on_open) reset_wanted = 1;
  if (reset_wanted) {
    reset_wanted = 0;
    Reset(false);
  }
}

void Program::Reset(bool power) {
  out_.clear();
  processor_.Reset(power);
  boot_turns_ = BootTurns();
}

void Program::MoveBytes() {
  line_.Update();
  size_t moved = 0;
  while (moved < out_.size()) {
    const size_t n = line_.Write(out_.data() + moved, out_.size() - moved);
    moved += n;
    if (n > 0) continue;
    if (!options_.lossless || !line_.plugged() || unplug_wanted || stop_wanted || LifetimeOver()) break;
    line_.WaitForRoom(20);
  }
  sent_ += moved;
  dropped_ += out_.size() - moved;
  out_.clear();
  if (in_begin_ == in_end_) {
    in_begin_ = 0;
    in_end_ = line_.Read(in_, sizeof in_);
    received_ += in_end_;
    if (boot_turns_ > 0) in_end_ = 0;  // the boot loader took them
  }
  in_begin_ += processor_.Feed(in_ + in_begin_, in_end_ - in_begin_);
}

void Program::ApplyInputs() {
  while (next_input_ < options_.inputs.size() && options_.inputs[next_input_].time_s <= SimulatedSeconds()) {
    processor_.Apply(options_.inputs[next_input_++]);
  }
}

int Program::Run() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}) sigaction(signal, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);  // 1 ns; the default of 50 us would make every turn that late
  printf("ready %s\n", line_.name().c_str());
  fflush(stdout);

  const uint64_t turn_cycles = std::max<uint64_t>(1, static_cast<uint64_t>(options_.hz * kTurnSeconds));
  start_ns_ = NowNs();
  boot_turns_ = BootTurns();
  for (uint64_t turn = 0; !stop_wanted; ++turn) {
    FollowSignals();
    ApplyInputs();
    Processor::State state = Processor::State::kAlive;
    if (boot_turns_ > 0) {
      --boot_turns_;
      processor_.Pause(turn_cycles);
    } else {
      state = processor_.RunTo((turn + 1) * turn_cycles);
    }
    crashed_ = state == Processor::State::kCrashed;
    MoveBytes();
    if (state != Processor::State::kAlive || LifetimeOver() ||
        (options_.seconds > 0 && SimulatedSeconds() >= options_.seconds))
      break;
    if (options_.speed <= 0) continue;
    const uint64_t due = start_ns_ + static_cast<uint64_t>(SimulatedSeconds() / options_.speed * 1e9);
    const uint64_t now = NowNs();
    if (now < due) {
      SleepUntil(due);
    } else {
      worst_late_ns_ = std::max(worst_late_ns_, now - due);
    }
  }
  if (options_.lossless && !stop_wanted) line_.Drain(kDrainMs);
  if (!options_.eeprom.empty()) processor_.SaveEeprom(options_.eeprom);
  if (crashed_) fprintf(stderr, "spikedaq-simavr: the processor crashed at %.6f s\n", SimulatedSeconds());
  if (!options_.report.empty()) Report();
  return crashed_ ? 3 : 0;
}

void Program::Report() const {
  FILE* file = options_.report == "-" ? stderr : fopen(options_.report.c_str(), "w");
  if (file == nullptr) Fail(1, "--report " + options_.report + ": " + strerror(errno));
  const double wall_s = static_cast<double>(NowNs() - start_ns_) * 1e-9;
  fprintf(file,
          "{\"cycles\": %" PRIu64 ", \"busy_cycles\": %" PRIu64
          ", \"simulated_s\": %.6f, \"wall_s\": %.3f, \"sent_bytes\": %" PRIu64 ", \"dropped_bytes\": %" PRIu64
          ", \"received_bytes\": %" PRIu64
          ", \"resets\": %u, \"watchdog_resets\": %u, \"static_ram_bytes\": %zu, \"untouched_ram_bytes\": %zu, "
          "\"worst_late_ms\": %.3f, \"crashed\": %s}\n",
          processor_.cycle(), processor_.busy_cycles(), SimulatedSeconds(), wall_s, sent_, dropped_, received_,
          processor_.resets(), processor_.watchdog_resets(), processor_.static_ram(), processor_.untouched_ram(),
          static_cast<double>(worst_late_ns_) * 1e-6, crashed_ ? "true" : "false");
  if (file != stderr) fclose(file);
}

}  // namespace
}  // namespace simulator
}  // namespace spikedaq

int main(int argc, char** argv) {
  using namespace spikedaq::simulator;
  const pid_t parent = getppid();
  const Options options = ParseOptions(argc, argv);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) return 0;  // it died in between
  Program program(options);
  return program.Run();
}
