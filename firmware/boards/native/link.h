/// The virtual device's link: a pseudo-terminal, a TCP listener, or stdin and stdout. Nothing here ever waits.
#ifndef SPIKEDAQ_NATIVE_LINK_H_
#define SPIKEDAQ_NATIVE_LINK_H_

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string>

#include "options.h"

struct pollfd;

namespace spikedaq {
namespace native {

class Link {
 public:
  /// Opens the link or ends the process, saying why.
  static std::unique_ptr<Link> Open(const Options& options);
  virtual ~Link() = default;

  /// Bytes moved; 0 if none can be now. With nobody at the other end nothing is written.
  virtual size_t Write(const uint8_t* bytes, size_t n) = 0;
  virtual size_t Read(uint8_t* bytes, size_t n) = 0;

  /// Fills in what to poll for (at most 2 entries). @returns the number of entries.
  virtual int Poll(bool wants_write, pollfd* fds) = 0;
  /// Takes in what the poll said. @returns true if another peer is now at the other end.
  virtual bool Update() { return false; }
  /// The other end has taken every byte, as far as can be told.
  virtual bool Drained() { return true; }
  /// The peer is gone for good.
  virtual bool ended() const { return false; }
  /// "pty /dev/pts/5", "tcp 127.0.0.1:4711", "stdio".
  virtual std::string Name() const = 0;

  /// For faults: the port vanishes, and comes back under its own name or another (any where `name` is empty).
  virtual bool CanUnplug() const { return false; }
  virtual void Unplug() {}
  virtual void Plug(bool /*rename*/, const std::string& /*name*/) {}
  /// When the link itself has something to do, on the clock of NowNs; UINT64_MAX for never.
  virtual uint64_t NextWakeNs() { return UINT64_MAX; }
  /// A fault wants the board to boot again; asked once.
  virtual bool TakeReboot() { return false; }
  /// What faults have done, as JSON; "" for a link without.
  virtual std::string Report() const { return ""; }

 private:
  static std::unique_ptr<Link> OpenPlain(const Options& options);
};

}  // namespace native
}  // namespace spikedaq

#endif  // SPIKEDAQ_NATIVE_LINK_H_
