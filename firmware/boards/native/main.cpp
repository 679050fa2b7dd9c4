// spikedaq-device: runs the firmware in real time, or as fast as its link takes what it makes.
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "board/device.h"
#include "native_board.h"

namespace spikedaq {
namespace native {
namespace {

constexpr uint16_t kBlocks = 64;  // wait for the link, and one is open: 0.64 s at 10 kHz
constexpr uint16_t kDefaultBlockSamples = 100;
constexpr uint16_t kMaxBlockSamples = static_cast<uint16_t>(sampling::MaxBlockSamples(kChannelCount));
constexpr uint16_t kEvents = 256;
constexpr uint32_t kWaveformRows = 600000;  // a minute at 10 kHz
constexpr uint16_t kMaxRequestBytes = 2048;
constexpr uint64_t kBatchUs = 1000;         // one wake per millisecond
constexpr uint64_t kCatchUpSteps = 500;     // after a stall, the link is looked after between so many steps
constexpr uint64_t kDrainNs = 30000000000;  // after --duration: how long a reader may take nothing at all

volatile sig_atomic_t stop_wanted = 0;
void OnSignal(int) { stop_wanted = 1; }

/// All the memory that the firmware gets.
struct Buffers {
  uint8_t request[wire::CobsBound(kMaxRequestBytes)];
  uint8_t scratch[wire::kMaxDeviceFrameBytes];
  uint8_t ring[3 * wire::FrameBound(wire::kMaxDeviceFrameBytes)];
  sampling::BlockHead block_heads[kBlocks];
  int16_t block_values[size_t{kBlocks} * kMaxBlockSamples * kChannelCount];
  board::Event events[kEvents];
  int16_t waveform_rows[kWaveformRows];
  uint8_t waveform_bits[(kWaveformRows + 7) / 8];
};
Buffers buffers;

board::Memory MemoryOfBuffers(wire::History* history) {
  board::Memory m = {};
  m.request = buffers.request;
  m.max_request_bytes = kMaxRequestBytes;
  m.scratch = buffers.scratch;
  m.scratch_bytes = sizeof buffers.scratch;
  m.ring = buffers.ring;
  m.ring_bytes = sizeof buffers.ring;
  m.block_heads = buffers.block_heads;
  m.block_values = buffers.block_values;
  m.n_blocks = kBlocks;
  m.block_capacity = kMaxBlockSamples;
  m.default_block_samples = kDefaultBlockSamples;
  m.events = buffers.events;
  m.n_events = kEvents;
  m.waveform_rows = buffers.waveform_rows;
  m.waveform_bits = buffers.waveform_bits;
  m.waveform_capacity = kWaveformRows;
  m.history = history;
  return m;
}

class Program {
 public:
  explicit Program(const Options& options)
      : options_(options),
        board_(options),
        history_bytes_(options.resend_bytes),
        history_entries_(options.resend_depth),
        history_(history_bytes_.data(), history_bytes_.size(), history_entries_.data(), options.resend_depth),
        device_(&board_, MemoryOfBuffers(&history_), {options.step_us, board_.noise_seed()}) {}

  int Run();

 private:
  bool Finished() const { return options_.duration_steps > 0 && streamed_ >= options_.duration_steps; }
  bool Fast() const { return options_.as_fast_as_possible && device_.sampler().running(); }
  void Boot();
  void StepOnce();
  uint64_t RunSteps();
  void Sleep(uint64_t until_ns, bool wants_write);
  void Report() const;

  const Options options_;
  NativeBoard board_;
  std::vector<uint8_t> history_bytes_;
  std::vector<wire::HistoryEntry> history_entries_;
  wire::History history_;
  board::Device device_;
  sigset_t while_waiting_;
  uint64_t streamed_ = 0;
  uint64_t start_ns_ = 0;
  bool was_fast_ = false;
  uint64_t truth_flushed_ns_ = 0;
  std::vector<uint32_t> lateness_us_;  // of closed blocks, for --report
};

void Program::Boot() {
  device_.Boot(board_.NextBoot());
  was_fast_ = false;
}

void Program::StepOnce() {
  const bool streaming = device_.sampler().running();
  const uint16_t closed = device_.sampler().closed();
  const uint64_t tick = device_.next_tick();
  device_.Step();
  if (!streaming) return;
  ++streamed_;
  if (Finished()) device_.Stop();
  if (device_.sampler().closed() == closed) return;
  if (was_fast_) board_.VirtualTick(device_.next_tick());
  device_.Pump();
  if (options_.report && !was_fast_ && lateness_us_.size() < 1000000) {
    lateness_us_.push_back(static_cast<uint32_t>((NowNs() - board_.DueNs(tick)) / 1000));
  }
}

// Makes the steps that are due, or as many as there is room for. @returns when to wake, on the clock of NowNs; 0 for at
// once, UINT64_MAX for when the link has room.
uint64_t Program::RunSteps() {
  board_.ReceiveCables();
  const bool fast = Fast();
  if (was_fast_ && !fast) board_.AnchorTick(device_.next_tick());
  was_fast_ = fast;
  uint64_t done = 0;
  if (fast) {
    for (; done < kCatchUpSteps && Fast() && !stop_wanted; ++done) {
      if (!device_.HasRoomForStep()) break;
      StepOnce();
    }
    board_.VirtualTick(device_.next_tick());
    board_.SendCables();
    device_.Pump();
    return device_.HasRoomForStep() ? 0 : UINT64_MAX;
  }
  const uint64_t now_tick = board_.Tick();
  while (done < kCatchUpSteps && !Finished() && !Fast() && device_.next_tick() <= now_tick) {
    StepOnce();
    ++done;
  }
  board_.SendCables();
  device_.Pump();
  if (done == kCatchUpSteps || Fast()) return 0;

  // The next batch ends with its last step that is due within a millisecond, or with the open block.
  const uint32_t step_us = device_.neuron_parameters().step_us();
  uint64_t steps = std::max<uint64_t>(1, kBatchUs / step_us);
  const sampling::Sampler& sampler = device_.sampler();
  if (sampler.running())
    steps = std::min<uint64_t>(steps, sampler.open_room() > 0 ? sampler.open_room() : sampler.block_samples());
  return board_.DueNs(device_.next_tick() + (steps - 1) * step_us);
}

void Program::Sleep(uint64_t until_ns, bool wants_write) {
  pollfd fds[2];
  const int n = board_.link().Poll(wants_write, fds);
  const uint64_t now = NowNs();
  until_ns = std::min(until_ns, board_.link().NextWakeNs());
  const uint64_t wait = until_ns == UINT64_MAX ? 100000000u : (until_ns > now ? until_ns - now : 0);
  const timespec timeout = {static_cast<time_t>(wait / 1000000000u), static_cast<long>(wait % 1000000000u)};
  ppoll(fds, static_cast<nfds_t>(n), &timeout, &while_waiting_);
  if (board_.link().Update()) device_.LinkRestarted();
}

int Program::Run() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // Signals come only while waiting, so that none is missed between looking and waiting.
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigprocmask(SIG_BLOCK, &blocked, &while_waiting_);
  prctl(PR_SET_TIMERSLACK, 1);  // 1 ns; the default of 50 us would make every block that late

  Boot();
  FILE* say = options_.link == LinkKind::kStdio ? stderr : stdout;
  fprintf(say, "ready %s\n", board_.link().Name().c_str());
  fflush(say);

  start_ns_ = NowNs();
  uint64_t progress_ns = 0;
  size_t left = 0;
  while (!stop_wanted && !board_.link().ended()) {
    uint64_t wake = RunSteps();
    if (device_.reboot_wanted() || board_.link().TakeReboot()) Boot();
    const uint64_t now = NowNs();
    if (now - truth_flushed_ns_ > 1000000000u) {
      board_.FlushTruth();
      truth_flushed_ns_ = now;
    }
    if (Finished()) {
      const size_t still = device_.bytes_waiting();
      if (still != left || progress_ns == 0) progress_ns = now;
      left = still;
      if ((device_.drained() && board_.link().Drained()) || now - progress_ns > kDrainNs) break;
      wake = now + 1000000;
    }
    Sleep(wake, device_.wants_write());
  }
  board_.FlushTruth();
  if (options_.report) Report();
  return 0;
}

void Program::Report() const {
  std::vector<uint32_t> late = lateness_us_;
  std::sort(late.begin(), late.end());
  const auto at = [&late](double q) {
    return late.empty() ? 0u : late[static_cast<size_t>(q * static_cast<double>(late.size() - 1))];
  };
  timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  const std::string report = board_.link().Report();
  const std::string faults = report.empty() ? "" : ", \"faults\": " + report;
  fprintf(stderr,
          "{\"steps\": %" PRIu64 ", \"streamed\": %" PRIu64
          ", \"seconds\": %.3f, \"cpu_seconds\": %.3f, \"overruns\": %" PRIu32 ", \"overrun_samples\": %" PRIu32
          ", \"dropped_rows\": %" PRIu64
          ", \"block_late_us\": {\"p50\": %u, \"p99\": %u, \"p999\": %u, \"max\": %u}%s}\n",
          device_.step(), streamed_, static_cast<double>(NowNs() - start_ns_) * 1e-9,
          static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) * 1e-9, device_.sampler().overruns(),
          device_.sampler().overrun_samples(), board_.dropped_rows(), at(0.5), at(0.99), at(0.999), at(1.0),
          faults.c_str());
}

}  // namespace
}  // namespace native
}  // namespace spikedaq

int main(int argc, char** argv) {
  using namespace spikedaq::native;
  const pid_t parent = getppid();
  const Options options = ParseOptions(argc, argv);
  if (options.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) return 0;  // it died in between
  }
  Program program(options);
  return program.Run();
}
