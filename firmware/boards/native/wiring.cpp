#include "wiring.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "options.h"

namespace spikedaq {
namespace native {
namespace {

constexpr size_t kMaxRows = 250;  // per datagram
constexpr size_t kHeadBytes = 12;
constexpr uint64_t kUnpluggedAfterNs = 100000000;

sockaddr_un Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Fail(2, path + ": the path of a Unix socket has at most 107 characters");
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

uint64_t LittleEndian(const uint8_t* bytes, int n) {
  uint64_t value = 0;
  for (int k = 0; k < n; ++k) value |= static_cast<uint64_t>(bytes[k]) << (8 * k);
  return value;
}

}  // namespace

Axon::Axon(const std::vector<std::string>& paths) : paths_(paths) {
  for (const std::string& path : paths_) Address(path);
  if (!paths_.empty()) fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

Axon::~Axon() {
  if (fd_ >= 0) close(fd_);
}

void Axon::Step(uint64_t step, int16_t vm_raw, bool level) {
  if (fd_ < 0) return;
  if (vm_.empty()) first_step_ = step;
  vm_.push_back(vm_raw);
  level_.push_back(level);
  if (vm_.size() == kMaxRows) Flush();
}

void Axon::Flush() {
  if (vm_.empty()) return;
  std::vector<uint8_t> bytes(kHeadBytes + 2 * vm_.size() + (vm_.size() + 7) / 8);
  for (size_t k = 0; k < 8; ++k) bytes[k] = static_cast<uint8_t>(first_step_ >> (8 * k));
  for (size_t k = 0; k < 4; ++k) bytes[8 + k] = static_cast<uint8_t>(vm_.size() >> (8 * k));
  for (size_t k = 0; k < vm_.size(); ++k) {
    bytes[kHeadBytes + 2 * k] = static_cast<uint8_t>(vm_[k]);
    bytes[kHeadBytes + 2 * k + 1] = static_cast<uint8_t>(vm_[k] >> 8);
    if (level_[k]) {
      uint8_t& bits = bytes[kHeadBytes + 2 * vm_.size() + k / 8];
      bits = static_cast<uint8_t>(bits | 1u << k % 8);
    }
  }
  for (const std::string& path : paths_) {
    const sockaddr_un address = Address(path);
    // An error means that nobody listens or that the listener is slow; a cable does not mind either.
    (void)!sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  vm_.clear();
  level_.clear();
}

SynapseJack::SynapseJack(const std::string& path) : path_(path) {
  if (path.empty()) return;
  const sockaddr_un address = Address(path);
  struct stat present;
  if (lstat(path.c_str(), &present) == 0) {
    if (!S_ISSOCK(present.st_mode)) Fail(1, path + ": exists and is no socket; name another path for the synapse");
    unlink(path.c_str());
  }
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Fail(1, path + ": " + strerror(errno));
  }
}

SynapseJack::~SynapseJack() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(path_.c_str());
}

void SynapseJack::Receive(uint64_t now_ns) {
  if (fd_ < 0) return;
  uint8_t bytes[kHeadBytes + 2 * kMaxRows + kMaxRows / 8 + 1];
  for (;;) {
    const ssize_t size = recv(fd_, bytes, sizeof bytes, MSG_TRUNC);
    if (size < 0) break;
    if (static_cast<size_t>(size) < kHeadBytes || static_cast<size_t>(size) > sizeof bytes) continue;
    const size_t n = static_cast<size_t>(LittleEndian(bytes + 8, 4));
    if (n > kMaxRows || static_cast<size_t>(size) != kHeadBytes + 2 * n + (n + 7) / 8) continue;
    for (size_t k = 0; k < n; ++k) {
      if (n_ == kRows) {
        first_ = (first_ + 1) % kRows;
        --n_;
        ++dropped_;
      }
      const int16_t vm = static_cast<int16_t>(LittleEndian(bytes + kHeadBytes + 2 * k, 2));
      const bool level = (bytes[kHeadBytes + 2 * n + k / 8] >> k % 8 & 1) != 0;
      rows_[(first_ + n_++) % kRows] = Row{vm, level};
    }
    last_data_ns_ = now_ns;
    plugged_ = true;
  }
  if (plugged_ && n_ == 0 && now_ns - last_data_ns_ > kUnpluggedAfterNs) {
    plugged_ = false;
    now_ = Row{0, false};
  }
}

void SynapseJack::Play(float* vm_mv, bool* level) {
  if (n_ > 0) {
    now_ = rows_[first_];
    first_ = (first_ + 1) % kRows;
    --n_;
  }
  *vm_mv = static_cast<float>(now_.vm) * 0.01f;
  *level = now_.level;
}

}  // namespace native
}  // namespace spikedaq
