/// What is to go wrong with a virtual board: rates, times and the lines of a script. The same words and the same seed
/// damage the same bytes in the host's `fault:` link (host/spikedaq/link/fault_spec.py).
#ifndef SPIKEDAQ_NATIVE_FAULT_SPEC_H_
#define SPIKEDAQ_NATIVE_FAULT_SPEC_H_

#include <stdint.h>

#include <string>

namespace spikedaq {
namespace native {

struct FaultSpec {
  uint64_t seed = 0;
  double flip = 0;        ///< Probability that a bit is turned over.
  double drop = 0;        ///< That a byte is lost.
  double drop_frame = 0;  ///< That a frame is lost,
  double duplicate = 0;   ///< comes twice,
  double truncate = 0;    ///< or ends early.
  double delay_ms = 0;    ///< Each delivery comes this much later,
  double jitter_ms = 0;   ///< and up to this much more, in order all the same.
  // Mean times between what happens at random, 0 for never, and for how long.
  double stall_every_s = 0;
  double stall_for_s = 0.5;
  double unplug_every_s = 0;
  double unplug_for_s = 0.5;
  double rename_every_s = 0;  ///< Unplugged for unplug_for_s, and then another name.
  double reboot_every_s = 0;
  // The board's clock: its error is skew + ramp * t + swing * sin(2 pi t / period).
  double skew_ppm = 0;
  double skew_ramp_ppm_h = 0;
  double skew_swing_ppm = 0;
  double skew_period_s = 600;

  /// Anything that happens to the link.
  bool touches_link() const;
  bool touches_clock() const { return skew_ppm != 0 || skew_ramp_ppm_h != 0 || skew_swing_ppm != 0; }
  /// The frames' beginnings and ends matter.
  bool touches_frames() const { return drop_frame > 0 || duplicate > 0 || truncate > 0; }
};

/// Adds `name=value,name=value` to a spec. @returns false with a reason and remedy in `error`.
bool ParseFaultSpec(const std::string& text, FaultSpec* spec, std::string* error);

/// Sets one number of a spec by name. @returns false as above.
bool SetFault(const std::string& name, const std::string& value, FaultSpec* spec, std::string* error);

enum class FaultKind { kNone, kStall, kUnplug, kRename, kReboot, kLose, kSet };

/// One line of a script: `time_s what args`.
struct FaultAction {
  double time_s = 0;  ///< Since the start of the device; "now" reads as 0.
  FaultKind kind = FaultKind::kNone;
  double amount = 0;  ///< Seconds, or frames to lose.
  std::string name;   ///< Path after a rename; the number that is set.
  std::string value;  ///< Its value.
};

/// Reads one line; an empty one and a comment (#) give kNone. @returns false as above.
bool ParseFaultLine(const std::string& line, FaultAction* action, std::string* error);

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_FAULT_SPEC_H_
