/// Every step that the device made, for tests to compare with. All little-endian.
///
///   header, 32 bytes: "SPKTRUTH", u32 version = 1, u32 boot_id, u8[8] unique_id, u32 n_channels = 8, u32 step_us at
///   boot per step, 32 bytes: u56 step, u8 flags (those of a block: 8 in voltage clamp), u64 tick, i16[8] values
///
/// After a reboot another header follows; no step is so large that its eight bytes read "SPKTRUTH".
#ifndef SPIKEDAQ_NATIVE_TRUTH_H_
#define SPIKEDAQ_NATIVE_TRUTH_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "board/board.h"

namespace spikedaq {
namespace native {

class TruthFile {
 public:
  /// An empty path writes nothing.
  explicit TruthFile(const std::string& path);
  ~TruthFile() { Flush(); }
  void Header(uint32_t boot_id, const uint8_t (&unique_id)[8], uint32_t step_us);
  void Step(const board::Outputs& outputs);
  void Flush();

 private:
  void Append(uint64_t value, int bytes);

  std::string path_;
  int fd_ = -1;
  std::vector<uint8_t> buffer_;
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_TRUTH_H_
