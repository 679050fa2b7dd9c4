#include "inputs.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace spikedaq {
namespace simulator {
namespace {

// The converter of simavr keeps 16 inputs; no ATmega gives it more than 20 V, and neither do we.
constexpr unsigned long kMaxChannel = 15;
constexpr unsigned long kMaxMillivolts = 20000;

bool ParseUnsigned(const std::string& text, unsigned long maximum, unsigned long* value) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || text.size() > 9) return false;
  *value = strtoul(text.c_str(), nullptr, 10);
  return *value <= maximum;
}

}  // namespace

bool ParseInput(const std::string& where, const std::string& value, InputChange* change) {
  if (where.empty()) return false;
  change->analogue = where[0] >= '0' && where[0] <= '9';
  unsigned long channel = 0, number = 0;
  if (change->analogue) {
    if (!ParseUnsigned(where, kMaxChannel, &channel) || !ParseUnsigned(value, kMaxMillivolts, &number)) return false;
  } else {
    change->port = where[0];
    if (change->port < 'B' || change->port > 'D') return false;
    if (!ParseUnsigned(where.substr(1), 7, &channel) || !ParseUnsigned(value, 1, &number)) return false;
  }
  change->channel = static_cast<uint8_t>(channel);
  change->value = static_cast<uint32_t>(number);
  return true;
}

void ReadScript(const std::string& path, std::vector<InputChange>* changes) {
  std::ifstream file(path);
  if (!file) Fail(1, path + ": cannot be read; --script names a text file");
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    line = line.substr(0, line.find('#'));
    std::istringstream words(line);
    std::string time, where, value, more;
    if (!(words >> time)) continue;
    InputChange change;
    char* end = nullptr;
    change.time_s = strtod(time.c_str(), &end);
    if (*end != '\0' || !(change.time_s >= 0) || !(words >> where >> value) || words >> more ||
        !ParseInput(where, value, &change)) {
      Fail(2, path + ", line " + std::to_string(number) + ": must be like \"0.5 3 2500\" or \"0.5 D2 1\"");
    }
    changes->push_back(change);
  }
}

void SortByTime(std::vector<InputChange>* changes) {
  std::stable_sort(changes->begin(), changes->end(),
                   [](const InputChange& a, const InputChange& b) { return a.time_s < b.time_s; });
}

}  // namespace simulator
}  // namespace spikedaq
