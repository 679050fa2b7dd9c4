#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

namespace spikedaq {
namespace simulator {

Line::Line(const Options& options) : link_(options.link), port_(options.tcp_port) { Plug(); }

Line::~Line() { Unplug(); }

void Line::OpenPty() {
  char name[128];
  if (openpty(&fd_, &slave_, name, nullptr, nullptr) != 0) {
    Fail(1, std::string("no pseudo-terminal can be had: ") + strerror(errno));
  }
  termios mode;
  tcgetattr(slave_, &mode);
  cfmakeraw(&mode);
  tcsetattr(slave_, TCSANOW, &mode);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  struct stat present;
  if (lstat(link_.c_str(), &present) == 0) {
    if (!S_ISLNK(present.st_mode)) Fail(1, "--link " + link_ + ": exists and is no symbolic link; name another path");
    unlink(link_.c_str());
  }
  if (symlink(name, link_.c_str()) != 0) Fail(1, "--link " + link_ + ": " + strerror(errno));
  name_ = std::string("pty ") + name;
  watch_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  inotify_add_watch(watch_, name, IN_OPEN);
}

void Line::Listen() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port_));
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 4) != 0) {
    Fail(1, "--tcp " + std::to_string(port_) + ": " + strerror(errno) + "; is another device listening there?");
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);  // plugged in again, it is the same
  name_ = "tcp 127.0.0.1:" + std::to_string(port_);
}

void Line::Plug() {
  if (plugged_) return;
  plugged_ = true;
  if (link_.empty()) {
    Listen();
  } else {
    OpenPty();
  }
}

void Line::Hang() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Line::Unplug() {
  if (!plugged_) return;
  plugged_ = false;
  if (!link_.empty()) unlink(link_.c_str());
  for (int* fd : {&slave_, &watch_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  Hang();
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
}

void Line::Update() {
  if (listener_ < 0) return;
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  uint8_t byte;
  if (fd_ >= 0 && recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) Hang();  // the old one has just left
  if (fd_ >= 0) {                                                             // a board has one cable
    close(fd);
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fd_ = fd;
  opened_ = true;
}

bool Line::TakeOpened() {
  char events[1024];
  bool opened = watch_ >= 0 && read(watch_, events, sizeof events) > 0;
  if (opened_) opened = true;
  opened_ = false;
  return opened;
}

size_t Line::Write(const uint8_t* bytes, size_t n) {
  if (fd_ < 0) return 0;
  const ssize_t moved = write(fd_, bytes, n);
  if (moved >= 0) return static_cast<size_t>(moved);
  if (listener_ >= 0 && errno != EAGAIN && errno != EINTR) Hang();
  return 0;
}

size_t Line::Read(uint8_t* bytes, size_t n) {
  if (fd_ < 0) return 0;
  const ssize_t moved = read(fd_, bytes, n);
  if (moved > 0) return static_cast<size_t>(moved);
  if (listener_ >= 0 && (moved == 0 || (errno != EAGAIN && errno != EINTR))) Hang();
  return 0;
}

void Line::WaitForRoom(int milliseconds) {
  pollfd fds[2] = {{fd_, POLLOUT, 0}, {listener_, POLLIN, 0}};
  poll(fds, listener_ < 0 || fd_ >= 0 ? 1 : 2, milliseconds);
  Update();
}

void Line::Drain(int milliseconds) {
  for (int quiet = 0, waited = 0; quiet < 20 && waited < milliseconds; ++waited) {
    int waiting = 0;
    // Not all that the kernel holds is seen at once, so it must be empty several times in a row.
    const bool empty = slave_ >= 0 ? ioctl(slave_, FIONREAD, &waiting) != 0 || waiting == 0
                                   : fd_ < 0 || ioctl(fd_, TIOCOUTQ, &waiting) != 0 || waiting == 0;
    quiet = empty ? quiet + 1 : 0;
    const timespec millisecond = {0, 1000000};
    nanosleep(&millisecond, nullptr);
  }
}

}  // namespace simulator
}  // namespace spikedaq
