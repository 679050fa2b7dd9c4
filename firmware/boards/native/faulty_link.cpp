#include "faulty_link.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "options.h"

namespace spikedaq {
namespace native {
namespace {

uint64_t NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

uint64_t Ns(double seconds) { return static_cast<uint64_t>(seconds * 1e9); }

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string CountsJson(const FaultCounts& c) {
  return "{\"bytes_in\": " + std::to_string(c.bytes_in) + ", \"bytes_out\": " + std::to_string(c.bytes_out) +
         ", \"flipped_bits\": " + std::to_string(c.flipped_bits) +
         ", \"dropped_bytes\": " + std::to_string(c.dropped_bytes) +
         ", \"dropped_frames\": " + std::to_string(c.dropped_frames) +
         ", \"duplicated_frames\": " + std::to_string(c.duplicated_frames) +
         ", \"truncated_frames\": " + std::to_string(c.truncated_frames) + "}";
}

}  // namespace

FaultyLink::FaultyLink(std::unique_ptr<Link> link, const FaultSpec& spec, const std::string& script, FILE* say)
    : link_(std::move(link)),
      spec_(spec),
      say_(say),
      start_ns_(NowNs()),
      to_host_(spec, 0),
      to_device_(spec, 1),
      random_(spec.seed * 16 + 6) {
  const Recurring all[] = {{FaultKind::kStall, spec.stall_every_s, spec.stall_for_s, 0},
                           {FaultKind::kUnplug, spec.unplug_every_s, spec.unplug_for_s, 0},
                           {FaultKind::kRename, spec.rename_every_s, spec.unplug_for_s, 0},
                           {FaultKind::kReboot, spec.reboot_every_s, 0, 0}};
  for (Recurring r : all) {
    if (r.every_s <= 0) continue;
    Check(r.kind);
    r.next_ns = start_ns_ + Interval(r.every_s);
    recurring_.push_back(r);
  }
  if (script == "-") {
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    stdin_open_ = true;
  } else if (!script.empty()) {
    ReadScript(script);
  }
}

void FaultyLink::Check(FaultKind kind) const {
  const bool pulls = kind == FaultKind::kUnplug || kind == FaultKind::kRename;
  if (pulls && !link_->CanUnplug()) Fail(2, "stdin and stdout cannot be unplugged; give --pty or --tcp");
}

void FaultyLink::ReadScript(const std::string& path) {
  std::ifstream file(path);
  if (!file) Fail(1, "--fault-script " + path + ": " + strerror(errno));
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) Line(path + ", line " + std::to_string(number), line);
  std::stable_sort(script_.begin(), script_.end(),
                   [](const FaultAction& a, const FaultAction& b) { return a.time_s < b.time_s; });
}

void FaultyLink::Line(const std::string& where, const std::string& line) {
  FaultAction action;
  std::string error;
  if (!ParseFaultLine(line, &action, &error)) Fail(2, "--fault-script " + where + ": " + error);
  if (action.kind == FaultKind::kNone) return;
  Check(action.kind);
  script_.push_back(action);
}

void FaultyLink::ReadStdin() {
  char bytes[512];
  const ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
  if (n < 0) return;
  if (n == 0) stdin_open_ = false;
  for (ssize_t k = 0; k < n; ++k) {
    if (bytes[k] != '\n') {
      stdin_line_ += bytes[k];
      continue;
    }
    const std::string line = stdin_line_;
    stdin_line_.clear();
    Line("-", line);
    std::stable_sort(script_.begin() + static_cast<ptrdiff_t>(next_), script_.end(),
                     [](const FaultAction& a, const FaultAction& b) { return a.time_s < b.time_s; });
  }
}

uint64_t FaultyLink::Interval(double mean_s) { return Ns(-log(random_.Uniform()) * mean_s); }

size_t FaultyLink::Write(const uint8_t* bytes, size_t n) {
  if (plug_at_ns_ > 0) {
    // The board does not know that its cable is out: a UART sends on.
    unplugged_bytes_ += n;
    return n;
  }
  const uint64_t now = NowNs();
  Deliver(now);
  size_t stuck = 0;
  for (const Delivery& d : queue_) stuck += d.due_ns <= now ? d.bytes.size() - d.done : 0;
  if (stuck > kStuckBytes || queued_bytes_ > kMaxQueueBytes) return 0;
  std::vector<uint8_t> out;
  to_host_.Pass(bytes, n, &out);
  if (!out.empty()) {
    const double late_ms = spec_.delay_ms + (spec_.jitter_ms > 0 ? random_.Uniform() * spec_.jitter_ms : 0);
    last_due_ns_ = std::max(last_due_ns_, now + Ns(late_ms * 1e-3));
    queued_bytes_ += out.size();
    queue_.push_back(Delivery{last_due_ns_, std::move(out), 0});
    Deliver(now);
  }
  return n;
}

void FaultyLink::Deliver(uint64_t now_ns) {
  if (now_ns < stalled_until_ns_) return;
  while (!queue_.empty() && queue_.front().due_ns <= now_ns) {
    Delivery& first = queue_.front();
    const size_t sent = link_->Write(first.bytes.data() + first.done, first.bytes.size() - first.done);
    first.done += sent;
    queued_bytes_ -= sent;
    if (first.done < first.bytes.size()) return;
    queue_.pop_front();
  }
}

size_t FaultyLink::Read(uint8_t* bytes, size_t n) {
  if (plug_at_ns_ > 0 || NowNs() < stalled_until_ns_) return 0;
  // A duplicated frame needs twice the room, and one that is held back comes with the last byte of a later read.
  std::vector<uint8_t> raw(std::min<size_t>(n, 256));
  if (held_.empty()) {
    const size_t got = link_->Read(raw.data(), raw.size());
    to_device_.Pass(raw.data(), got, &held_);
  }
  const size_t taken = std::min(n, held_.size());
  std::copy_n(held_.begin(), taken, bytes);
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(taken));
  return taken;
}

int FaultyLink::Poll(bool wants_write, pollfd* fds) {
  const bool due = !queue_.empty() && queue_.front().due_ns <= NowNs();
  // While stalled or unplugged nothing there is to wake up for.
  if (plug_at_ns_ > 0 || NowNs() < stalled_until_ns_) return 0;
  return link_->Poll(wants_write ? queue_.empty() || due : due, fds);
}

uint64_t FaultyLink::NextWakeNs() {
  uint64_t next = UINT64_MAX;
  if (plug_at_ns_ > 0) next = plug_at_ns_;
  if (stalled_until_ns_ > NowNs()) next = std::min(next, stalled_until_ns_);
  if (!queue_.empty() && queue_.front().due_ns > NowNs()) next = std::min(next, queue_.front().due_ns);
  if (next_ < script_.size()) next = std::min(next, start_ns_ + Ns(script_[next_].time_s));
  for (const Recurring& r : recurring_) next = std::min(next, r.next_ns);
  if (stdin_open_) next = std::min(next, NowNs() + 10000000);
  return next;
}

bool FaultyLink::Update() {
  const uint64_t now = NowNs();
  if (stdin_open_) ReadStdin();
  while (next_ < script_.size() && start_ns_ + Ns(script_[next_].time_s) <= now) Do(script_[next_++], now);
  for (Recurring& r : recurring_) {
    if (r.next_ns > now) continue;
    FaultAction action;
    action.kind = r.kind;
    action.amount = r.for_s;
    Do(action, now);
    r.next_ns = now + Ns(r.for_s) + Interval(r.every_s);
  }
  if (plug_at_ns_ > 0 && now >= plug_at_ns_) {
    plug_at_ns_ = 0;
    link_->Plug(rename_, plug_name_);
    Say("plug", link_->Name(), -1);
  }
  if (plug_at_ns_ > 0) return false;
  const bool another = link_->Update();
  Deliver(now);
  return another;
}

void FaultyLink::Do(const FaultAction& action, uint64_t now_ns) {
  switch (action.kind) {
    case FaultKind::kStall:
      ++stalls_;
      stalled_until_ns_ = std::max(stalled_until_ns_, now_ns + Ns(action.amount));
      Say("stall", link_->Name(), action.amount);
      break;
    case FaultKind::kUnplug:
    case FaultKind::kRename:
      ++(action.kind == FaultKind::kUnplug ? unplugs_ : renames_);
      if (plug_at_ns_ == 0) link_->Unplug();
      Say(action.kind == FaultKind::kUnplug ? "unplug" : "rename", link_->Name(), action.amount);
      rename_ = action.kind == FaultKind::kRename;
      plug_name_ = action.name;
      plug_at_ns_ = now_ns + std::max<uint64_t>(1, Ns(action.amount));
      unplugged_bytes_ += queued_bytes_;
      queue_.clear();
      queued_bytes_ = 0;
      held_.clear();
      to_host_.Restart();
      to_device_.Restart();
      break;
    case FaultKind::kReboot:
      ++reboots_;
      reboot_ = true;
      Say("reboot", link_->Name(), -1);
      break;
    case FaultKind::kLose:
      to_host_.Lose(static_cast<uint64_t>(action.amount));
      Say("lose", std::to_string(static_cast<uint64_t>(action.amount)), -1);
      break;
    default: {
      std::string error;  // cannot happen: the line was checked
      SetFault(action.name, action.value, &spec_, &error);
      to_host_.Change(spec_);
      to_device_.Change(spec_);
      Say(action.name, action.value, -1);
      break;
    }
  }
}

void FaultyLink::Say(const std::string& what, const std::string& detail, double seconds) {
  const double now_s = static_cast<double>(NowNs()) * 1e-9;
  fprintf(say_, "fault %.6f %s %s\n", now_s, what.c_str(), detail.c_str());
  fflush(say_);
  if (done_.size() >= kMaxDone) {
    ++actions_not_listed_;
    return;
  }
  char entry[64];
  snprintf(entry, sizeof entry, "{\"time_s\": %.6f, \"what\": ", now_s - static_cast<double>(start_ns_) * 1e-9);
  std::string json = entry + Quoted(what) + ", \"detail\": " + Quoted(detail);
  if (seconds >= 0) {
    snprintf(entry, sizeof entry, ", \"for_s\": %.6f", seconds);
    json += entry;
  }
  done_.push_back(json + "}");
}

bool FaultyLink::TakeReboot() {
  const bool wanted = reboot_;
  reboot_ = false;
  return wanted;
}

std::string FaultyLink::Report() const {
  std::string json = "{\"seed\": " + std::to_string(spec_.seed) + ", \"to_host\": " + CountsJson(to_host_.counts()) +
                     ", \"to_device\": " + CountsJson(to_device_.counts()) +
                     ", \"unplugged_bytes\": " + std::to_string(unplugged_bytes_) +
                     ", \"stalls\": " + std::to_string(stalls_) + ", \"unplugs\": " + std::to_string(unplugs_) +
                     ", \"renames\": " + std::to_string(renames_) + ", \"reboots\": " + std::to_string(reboots_) +
                     ", \"actions_not_listed\": " + std::to_string(actions_not_listed_) + ", \"actions\": [";
  for (size_t k = 0; k < done_.size(); ++k) json += (k == 0 ? "" : ", ") + done_[k];
  return json + "]}";
}

}  // namespace native
}  // namespace spikedaq
