#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

namespace spikedaq {
namespace native {
namespace {

constexpr size_t kBufferBytes = 65536;

}  // namespace

TruthFile::TruthFile(const std::string& path) : path_(path) {
  if (path.empty()) return;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) Fail(1, "--record-truth " + path + ": " + strerror(errno));
  buffer_.reserve(kBufferBytes);
}

void TruthFile::Append(uint64_t value, int bytes) {
  for (int k = 0; k < bytes; ++k) buffer_.push_back(static_cast<uint8_t>(value >> (8 * k)));
}

void TruthFile::Header(uint32_t boot_id, const uint8_t (&unique_id)[8], uint32_t step_us) {
  if (fd_ < 0) return;
  const char magic[] = "SPKTRUTH";
  buffer_.insert(buffer_.end(), magic, magic + 8);
  Append(1, 4);
  Append(boot_id, 4);
  buffer_.insert(buffer_.end(), unique_id, unique_id + 8);
  Append(kChannelCount, 4);
  Append(step_us, 4);
}

void TruthFile::Step(const board::Outputs& outputs) {
  if (fd_ < 0) return;
  Append(outputs.step, 7);
  Append(InVoltageClamp(outputs.sample) ? wire::kBlockVoltageClamp : 0, 1);
  Append(outputs.tick, 8);
  for (const int16_t value : outputs.raw) Append(static_cast<uint16_t>(value), 2);
  if (buffer_.size() + 64 > kBufferBytes) Flush();
}

void TruthFile::Flush() {
  size_t done = 0;
  while (fd_ >= 0 && done < buffer_.size()) {
    const ssize_t n = write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) Fail(1, "--record-truth " + path_ + ": " + strerror(errno));
    done += static_cast<size_t>(n);
  }
  buffer_.clear();
}

}  // namespace native
}  // namespace spikedaq
