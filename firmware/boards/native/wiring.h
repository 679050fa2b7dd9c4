/// Cables between virtual devices: the axon as Unix datagrams, played into the synapse jacks of others.
///
/// A datagram, little-endian: u64 first_step, u32 n, i16 vm[n] in 0.01 mV, then (n + 7) / 8 bytes with one bit per
/// step, lowest bit first, that is the axon's digital level.
#ifndef SPIKEDAQ_NATIVE_WIRING_H_
#define SPIKEDAQ_NATIVE_WIRING_H_

#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

namespace spikedaq {
namespace native {

class Axon {
 public:
  explicit Axon(const std::vector<std::string>& paths);
  ~Axon();
  void Step(uint64_t step, int16_t vm_raw, bool level);
  /// Sends what was gathered. Whoever does not listen does not get it.
  void Flush();

 private:
  std::vector<std::string> paths_;
  int fd_ = -1;
  uint64_t first_step_ = 0;
  std::vector<int16_t> vm_;
  std::vector<bool> level_;
};

/// A synapse jack. One row is played per step; with no row at hand the last is held, and after 100 ms without any data
/// the jack counts as unplugged.
class SynapseJack {
 public:
  /// An empty path is a jack with nothing in it.
  explicit SynapseJack(const std::string& path);
  ~SynapseJack();
  /// Takes in what has come. `now_ns` is the host's monotonic time.
  void Receive(uint64_t now_ns);
  /// The row of this step: 0 mV and low where unplugged.
  void Play(float* vm_mv, bool* level);
  uint64_t dropped() const { return dropped_; }

 private:
  struct Row {
    int16_t vm;
    bool level;
  };
  // 25 ms at 10 kHz: more than the 1 ms batches ever need. When full the oldest row is dropped and counted, so that the
  // delay of the cable cannot grow.
  static constexpr size_t kRows = 256;

  std::string path_;
  int fd_ = -1;
  Row rows_[kRows];
  size_t first_ = 0;
  size_t n_ = 0;
  Row now_ = {0, false};
  uint64_t last_data_ns_ = 0;
  bool plugged_ = false;
  uint64_t dropped_ = 0;
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_WIRING_H_
