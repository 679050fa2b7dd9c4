#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "faulty_link.h"

namespace spikedaq {
namespace native {
namespace {

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

size_t WriteSome(int fd, const uint8_t* bytes, size_t n) {
  const ssize_t moved = write(fd, bytes, n);
  return moved > 0 ? static_cast<size_t>(moved) : 0;
}

class Pty final : public Link {
 public:
  explicit Pty(const std::string& symlink_path) : symlink_(symlink_path), first_symlink_(symlink_path) { Open(); }
  ~Pty() override { Close(); }
  size_t Write(const uint8_t* bytes, size_t n) override { return WriteSome(master_, bytes, n); }
  size_t Read(uint8_t* bytes, size_t n) override {
    const ssize_t moved = read(master_, bytes, n);
    return moved > 0 ? static_cast<size_t>(moved) : 0;
  }
  int Poll(bool wants_write, pollfd* fds) override {
    fds[0] = pollfd{master_, static_cast<short>(wants_write ? POLLIN | POLLOUT : POLLIN), 0};
    return 1;
  }
  bool Drained() override {
    // What the kernel still holds for the reader is not all seen at once: the line discipline takes 4 KB at a time, so
    // it must be empty several times in a row.
    int waiting = 0;
    if (ioctl(slave_, FIONREAD, &waiting) != 0 || waiting > 0) empty_ = 0;
    return ++empty_ > 20;
  }
  std::string Name() const override { return "pty " + name_; }
  bool CanUnplug() const override { return true; }
  void Unplug() override { Close(); }
  void Plug(bool rename, const std::string& name) override {
    if (rename && !name.empty()) {
      symlink_ = name;
    } else if (rename && !symlink_.empty()) {
      symlink_ = first_symlink_ + "." + std::to_string(++renames_);
    }
    Open();
  }

 private:
  void Open() {
    char name[128];
    if (openpty(&master_, &slave_, name, nullptr, nullptr) != 0) {
      Fail(1, std::string("no pseudo-terminal can be had: ") + strerror(errno));
    }
    name_ = name;
    termios mode;
    tcgetattr(slave_, &mode);
    cfmakeraw(&mode);
    tcsetattr(slave_, TCSANOW, &mode);
    SetNonBlocking(master_);
    if (symlink_.empty()) return;
    struct stat present;
    if (lstat(symlink_.c_str(), &present) == 0) {
      if (!S_ISLNK(present.st_mode))
        Fail(1, "--pty " + symlink_ + ": exists and is no symbolic link; name another path");
      unlink(symlink_.c_str());
    }
    if (symlink(name, symlink_.c_str()) != 0) Fail(1, "--pty " + symlink_ + ": " + strerror(errno));
  }
  void Close() {
    if (master_ < 0) return;
    if (!symlink_.empty()) unlink(symlink_.c_str());
    // The slave stays open up to here: a reader that closes and comes back finds the same terminal.
    close(slave_);
    close(master_);
    master_ = slave_ = -1;
  }

  std::string symlink_;
  std::string first_symlink_;
  std::string name_;
  int renames_ = 0;
  int master_ = -1;
  int slave_ = -1;
  int empty_ = 0;
};

class Tcp final : public Link {
 public:
  explicit Tcp(const std::string& address) { Listen(address); }
  ~Tcp() override {
    Hang();
    close(listener_);
  }
  size_t Write(const uint8_t* bytes, size_t n) override {
    if (client_ < 0) return 0;
    const ssize_t moved = send(client_, bytes, n, MSG_NOSIGNAL);
    if (moved < 0 && errno != EAGAIN && errno != EINTR) Hang();
    return moved > 0 ? static_cast<size_t>(moved) : 0;
  }
  size_t Read(uint8_t* bytes, size_t n) override {
    if (client_ < 0) return 0;
    const ssize_t moved = recv(client_, bytes, n, 0);
    if (moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR)) Hang();
    return moved > 0 ? static_cast<size_t>(moved) : 0;
  }
  int Poll(bool wants_write, pollfd* fds) override {
    fds[0] = pollfd{listener_, POLLIN, 0};
    fds[1] = pollfd{client_, static_cast<short>(wants_write ? POLLIN | POLLOUT : POLLIN), 0};
    return client_ < 0 ? 1 : 2;
  }
  bool Update() override {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return false;
    if (client_ >= 0) {  // a board has one cable
      close(fd);
      return false;
    }
    client_ = fd;
    const int on = 1;
    const unsigned int dead_after_ms = 10000;  // else a host that lost its power keeps the only place
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_after_ms, sizeof dead_after_ms);
    return true;
  }
  bool Drained() override {
    int waiting = 0;
    return client_ < 0 || ioctl(client_, TIOCOUTQ, &waiting) != 0 || waiting == 0;
  }
  std::string Name() const override { return "tcp " + bound_; }
  bool CanUnplug() const override { return true; }
  void Unplug() override {
    Hang();
    close(listener_);
    listener_ = -1;
  }
  void Plug(bool rename, const std::string& name) override {
    Listen(!rename ? bound_ : name.empty() ? host_ + ":0" : name);
  }

 private:
  void Hang() {
    if (client_ >= 0) close(client_);
    client_ = -1;
  }
  void Listen(const std::string& address) {
    const size_t colon = address.rfind(':');
    if (colon == std::string::npos) Fail(2, "--tcp " + address + ": must be HOST:PORT, for instance 127.0.0.1:0");
    host_ = address.substr(0, colon);
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(host_.empty() ? nullptr : host_.c_str(), address.c_str() + colon + 1, &hints, &found);
    if (error != 0) Fail(1, "--tcp " + address + ": " + gai_strerror(error));
    listener_ = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener_, found->ai_addr, found->ai_addrlen) != 0 || listen(listener_, 4) != 0) {
      Fail(1, "--tcp " + address + ": " + strerror(errno) + "; is another device listening there?");
    }
    freeaddrinfo(found);
    sockaddr_storage bound = {};
    socklen_t size = sizeof bound;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
    const in_port_t port = bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                                       : reinterpret_cast<sockaddr_in*>(&bound)->sin_port;
    bound_ = host_ + ":" + std::to_string(ntohs(port));
  }
  std::string host_;
  std::string bound_;
  int listener_ = -1;
  int client_ = -1;
};

class Stdio final : public Link {
 public:
  Stdio() {
    SetNonBlocking(STDIN_FILENO);
    SetNonBlocking(STDOUT_FILENO);
  }
  size_t Write(const uint8_t* bytes, size_t n) override {
    const ssize_t moved = write(STDOUT_FILENO, bytes, n);
    if (moved < 0 && errno != EAGAIN && errno != EINTR) ended_ = true;
    return moved > 0 ? static_cast<size_t>(moved) : 0;
  }
  size_t Read(uint8_t* bytes, size_t n) override {
    const ssize_t moved = read(STDIN_FILENO, bytes, n);
    if (moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR)) ended_ = true;
    return moved > 0 ? static_cast<size_t>(moved) : 0;
  }
  int Poll(bool wants_write, pollfd* fds) override {
    fds[0] = pollfd{STDIN_FILENO, POLLIN, 0};
    fds[1] = pollfd{STDOUT_FILENO, POLLOUT, 0};
    return wants_write ? 2 : 1;
  }
  bool ended() const override { return ended_; }
  std::string Name() const override { return "stdio"; }

 private:
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Link> Link::Open(const Options& options) {
  std::unique_ptr<Link> link = OpenPlain(options);
  if (!options.faults.touches_link() && options.fault_script.empty()) return link;
  FILE* say = options.link == LinkKind::kStdio ? stderr : stdout;
  return std::unique_ptr<Link>(new FaultyLink(std::move(link), options.faults, options.fault_script, say));
}

std::unique_ptr<Link> Link::OpenPlain(const Options& options) {
  switch (options.link) {
    case LinkKind::kPty:
      return std::unique_ptr<Link>(new Pty(options.address));
    case LinkKind::kTcp:
      return std::unique_ptr<Link>(new Tcp(options.address));
    default:
      return std::unique_ptr<Link>(new Stdio());
  }
}

}  // namespace native
}  // namespace spikedaq
