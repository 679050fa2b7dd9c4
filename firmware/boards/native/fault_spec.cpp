#include "fault_spec.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include <sstream>

namespace spikedaq {
namespace native {
namespace {

struct Number {
  const char* name;
  double FaultSpec::* field;
  double minimum;
  double maximum;
};

constexpr double kDayS = 86400;
// More than 1 % off no UART works, and the host's fit looks no further.
constexpr double kMaxPpm = 10000;
// Below a millisecond between two unplugs nothing but unplugging would happen; 0 is never.
const Number kNumbers[] = {
    {"flip", &FaultSpec::flip, 0, 1},
    {"drop", &FaultSpec::drop, 0, 1},
    {"drop_frame", &FaultSpec::drop_frame, 0, 1},
    {"duplicate", &FaultSpec::duplicate, 0, 1},
    {"truncate", &FaultSpec::truncate, 0, 1},
    {"delay_ms", &FaultSpec::delay_ms, 0, 60000},
    {"jitter_ms", &FaultSpec::jitter_ms, 0, 60000},
    {"stall_every_s", &FaultSpec::stall_every_s, 0, kDayS},
    {"stall_for_s", &FaultSpec::stall_for_s, 0, kDayS},
    {"unplug_every_s", &FaultSpec::unplug_every_s, 0, kDayS},
    {"unplug_for_s", &FaultSpec::unplug_for_s, 0, kDayS},
    {"rename_every_s", &FaultSpec::rename_every_s, 0, kDayS},
    {"reboot_every_s", &FaultSpec::reboot_every_s, 0, kDayS},
    {"skew_ppm", &FaultSpec::skew_ppm, -kMaxPpm, kMaxPpm},
    {"skew_ramp_ppm_h", &FaultSpec::skew_ramp_ppm_h, -kMaxPpm, kMaxPpm},
    {"skew_swing_ppm", &FaultSpec::skew_swing_ppm, -kMaxPpm, kMaxPpm},
    {"skew_period_s", &FaultSpec::skew_period_s, 1, kDayS},
};
// What a script may change while the device runs: all that concerns bytes and frames.
constexpr size_t kSettable = 7;

std::string Text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

bool ReadNumber(const std::string& text, double* value) {
  char* end = nullptr;
  *value = strtod(text.c_str(), &end);
  return !text.empty() && end == text.c_str() + text.size() && isfinite(*value);
}

bool ReadSeconds(std::istringstream* words, const std::string& what, double* seconds, std::string* error) {
  std::string word;
  *words >> word;
  if (ReadNumber(word, seconds) && *seconds >= 0 && *seconds <= kDayS) return true;
  *error = what + " needs a time in seconds, as in: 2.5 " + what + " 0.3";
  return false;
}

}  // namespace

bool FaultSpec::touches_link() const {
  return flip > 0 || drop > 0 || touches_frames() || delay_ms > 0 || jitter_ms > 0 || stall_every_s > 0 ||
         unplug_every_s > 0 || rename_every_s > 0 || reboot_every_s > 0;
}

bool SetFault(const std::string& name, const std::string& value, FaultSpec* spec, std::string* error) {
  if (name == "seed") {
    errno = 0;
    char* end = nullptr;
    spec->seed = strtoull(value.c_str(), &end, 10);
    if (!value.empty() && value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0) return true;
    *error = "seed=" + value + ": must be a whole number";
    return false;
  }
  for (const Number& number : kNumbers) {
    if (name != number.name) continue;
    double read = 0;
    if (!ReadNumber(value, &read) || read < number.minimum || read > number.maximum) {
      *error = name + "=" + value + ": must be a number from " + Text(number.minimum) + " to " + Text(number.maximum);
      return false;
    }
    spec->*number.field = read;
    return true;
  }
  *error = name + ": there is no such fault; there are seed";
  for (const Number& number : kNumbers) *error += std::string(", ") + number.name;
  return false;
}

bool ParseFaultSpec(const std::string& text, FaultSpec* spec, std::string* error) {
  size_t begin = 0;
  while (begin <= text.size()) {
    size_t end = text.find(',', begin);
    if (end == std::string::npos) end = text.size();
    const std::string pair = text.substr(begin, end - begin);
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      *error = "'" + pair + "' is not name=value, as in flip=1e-6,drop=1e-4,seed=3";
      return false;
    }
    if (!SetFault(pair.substr(0, equals), pair.substr(equals + 1), spec, error)) return false;
    begin = end + 1;
  }
  return true;
}

bool ParseFaultLine(const std::string& line, FaultAction* action, std::string* error) {
  *action = FaultAction();
  std::istringstream words(line.substr(0, line.find('#')));
  std::string time;
  std::string what;
  if (!(words >> time)) return true;
  words >> what;
  if (time != "now" && (!ReadNumber(time, &action->time_s) || action->time_s < 0)) {
    *error = "'" + time + "' is not a time; a line is: time_s what arguments, as in: 2.5 unplug 0.3";
    return false;
  }
  if (what == "stall" || what == "unplug" || what == "rename") {
    action->kind = what == "stall" ? FaultKind::kStall : what == "unplug" ? FaultKind::kUnplug : FaultKind::kRename;
    if (!ReadSeconds(&words, what, &action->amount, error)) return false;
    if (action->kind == FaultKind::kRename) words >> action->name;
  } else if (what == "reboot") {
    action->kind = FaultKind::kReboot;
  } else if (what == "lose") {
    std::string count;
    words >> count;
    action->kind = FaultKind::kLose;
    if (!ReadNumber(count, &action->amount) || action->amount < 1 || action->amount > 1e9 ||
        action->amount != floor(action->amount)) {
      *error = "lose needs a number of frames, as in: 2.5 lose 3";
      return false;
    }
  } else {
    FaultSpec trial;
    words >> action->value;
    action->kind = FaultKind::kSet;
    action->name = what;
    bool settable = false;
    for (size_t k = 0; k < kSettable; ++k) settable = settable || what == kNumbers[k].name;
    if (!settable) {
      *error = "'" + what + "': there are stall, unplug, rename, reboot, lose";
      for (size_t k = 0; k < kSettable; ++k) *error += std::string(", ") + kNumbers[k].name;
      return false;
    }
    if (!SetFault(what, action->value, &trial, error)) return false;
  }
  std::string more;
  if (words >> more) {
    *error = "'" + more + "' is too much after " + what;
    return false;
  }
  return true;
}

}  // namespace native
}  // namespace spikedaq
