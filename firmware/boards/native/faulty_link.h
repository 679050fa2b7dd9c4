/// A link with a bad cable: damages, delays and loses what passes, and is unplugged, renamed and rebooted on time.
#ifndef SPIKEDAQ_NATIVE_FAULTY_LINK_H_
#define SPIKEDAQ_NATIVE_FAULTY_LINK_H_

#include <stdint.h>
#include <stdio.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fault_spec.h"
#include "fault_stream.h"
#include "link.h"

namespace spikedaq {
namespace native {

class FaultyLink final : public Link {
 public:
  /// @param[in] script  Path of a script, "-" for lines on stdin as they come, "" for none.
  /// What is done is said on `say`, one line each: fault, seconds of CLOCK_MONOTONIC, what, to whom.
  FaultyLink(std::unique_ptr<Link> link, const FaultSpec& spec, const std::string& script, FILE* say);

  size_t Write(const uint8_t* bytes, size_t n) override;
  size_t Read(uint8_t* bytes, size_t n) override;
  int Poll(bool wants_write, pollfd* fds) override;
  bool Update() override;
  bool Drained() override { return queue_.empty() && link_->Drained(); }
  bool ended() const override { return link_->ended(); }
  std::string Name() const override { return link_->Name(); }
  uint64_t NextWakeNs() override;
  bool TakeReboot() override;
  std::string Report() const override;

 private:
  // As much as a UART and a hub keep while a host does not read; more than that waits in the firmware's own queue.
  static constexpr size_t kStuckBytes = 4096;
  static constexpr size_t kMaxQueueBytes = 1 << 20;
  static constexpr size_t kMaxDone = 10000;

  struct Delivery {
    uint64_t due_ns;
    std::vector<uint8_t> bytes;
    size_t done;
  };
  // Something that happens again and again at random.
  struct Recurring {
    FaultKind kind;
    double every_s;
    double for_s;
    uint64_t next_ns;
  };

  void ReadScript(const std::string& path);
  void ReadStdin();
  void Line(const std::string& where, const std::string& line);
  void Check(FaultKind kind) const;
  void Do(const FaultAction& action, uint64_t now_ns);
  void Say(const std::string& what, const std::string& detail, double seconds);
  void Deliver(uint64_t now_ns);
  uint64_t Interval(double mean_s);

  std::unique_ptr<Link> link_;
  FaultSpec spec_;
  FILE* say_;
  const uint64_t start_ns_;
  FaultStream to_host_;
  FaultStream to_device_;
  FaultRandom random_;
  std::vector<FaultAction> script_;  // by time; the first next_ are done
  size_t next_ = 0;
  bool stdin_open_ = false;
  std::string stdin_line_;
  std::vector<Recurring> recurring_;
  std::deque<Delivery> queue_;
  size_t queued_bytes_ = 0;
  std::vector<uint8_t> held_;  // read, damaged, and not asked for yet
  uint64_t last_due_ns_ = 0;
  uint64_t stalled_until_ns_ = 0;
  uint64_t plug_at_ns_ = 0;  // 0 while plugged
  std::string plug_name_;    // "" for the same one
  bool rename_ = false;
  bool reboot_ = false;
  uint64_t stalls_ = 0, unplugs_ = 0, renames_ = 0, reboots_ = 0, unplugged_bytes_ = 0, actions_not_listed_ = 0;
  std::vector<std::string> done_;  // JSON, one each
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_FAULTY_LINK_H_
