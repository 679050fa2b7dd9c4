/// The other end of the UART: a pseudo-terminal or a socket on the loopback.
#ifndef SPIKEDAQ_SIMULATOR_LINE_H_
#define SPIKEDAQ_SIMULATOR_LINE_H_

#include <stddef.h>
#include <stdint.h>

#include <string>

#include "options.h"

namespace spikedaq {
namespace simulator {

class Line {
 public:
  explicit Line(const Options& options);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  /// Sends all that can be sent without waiting. @returns how many bytes went.
  size_t Write(const uint8_t* bytes, size_t n);
  size_t Read(uint8_t* bytes, size_t n);
  /// Waits until bytes can be written, a client has come, or `milliseconds` are over.
  void WaitForRoom(int milliseconds);
  /// Lets a client in, where nobody is connected.
  void Update();
  /// Whether somebody has opened the line since the last call.
  bool TakeOpened();
  /// Waits until what was written has been read, up to `milliseconds`: a pty that is closed loses the rest.
  void Drain(int milliseconds);

  /// The cable is pulled: the terminal or the connection goes away. Plugged in again, there is a new one.
  void Unplug();
  void Plug();
  bool plugged() const { return plugged_; }
  std::string name() const { return name_; }

 private:
  void OpenPty();
  void Listen();
  void Hang();

  std::string link_;
  std::string name_;
  int port_;
  bool plugged_ = false;
  int fd_ = -1;        // master of the pty, or the client
  int slave_ = -1;     // kept open: a reader that closes and comes back finds the same terminal
  int listener_ = -1;  // of tcp
  int watch_ = -1;     // inotify, on the terminal
  bool opened_ = false;
};

}  // namespace simulator
}  // namespace spikedaq

#endif  // SPIKEDAQ_SIMULATOR_LINE_H_
