// Unix sockets in the node's private folder.
#include "actors/sockets.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace zenith::actors {
namespace {

result<sockaddr_un> address_of(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = socket.string();
  if (name.size() > socket_path_bytes_max)
    return fail(errc::invalid_argument, "the socket path " + name + " has " +
                                            std::to_string(name.size()) + " bytes, at most " +
                                            std::to_string(socket_path_bytes_max) + " fit");
  std::memcpy(address.sun_path, name.data(), name.size());
  return address;
}

tl::unexpected<error> failure(const std::string& what, const std::filesystem::path& socket) {
  return fail(errc::io, what + " " + socket.string() + ": " + std::strerror(errno));
}

// Waits until the socket is ready or the deadline comes.
result<void> wait_for(int socket, short events, deadline until) {
  for (;;) {
    // Rounded up: the time that was granted is not cut short.
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(errc::unavailable, "the peer did not answer in time");
    pollfd polled{socket, events, 0};
    const int ready = poll(&polled, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(errc::io, "poll failed");
  }
}

}  // namespace

descriptor::~descriptor() {
  if (value_ >= 0) close(value_);
}

result<descriptor> listen_on(const std::filesystem::path& socket) {
  ZENITH_TRY_ASSIGN(const sockaddr_un address, address_of(socket));
  descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return failure("cannot make a socket for", socket);
  unlink(socket.c_str());
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failure("cannot bind", socket);
  if (chmod(socket.c_str(), 0600) != 0) return failure("cannot protect", socket);
  if (listen(listener.get(), 64) != 0) return failure("cannot listen on", socket);
  return listener;
}

descriptor accept_within(const descriptor& listener, int timeout_ms) {
  pollfd polled{listener.get(), POLLIN, 0};
  if (poll(&polled, 1, timeout_ms) <= 0) return {};
  const int accepted = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  // Out of descriptors, the listener stays readable: do not spin until one is free.
  if (accepted < 0 && (errno == EMFILE || errno == ENFILE)) poll(nullptr, 0, timeout_ms);
  return descriptor(accepted);
}

void wait_no_longer_than(const descriptor& socket, int timeout_ms) {
  const int flags = fcntl(socket.get(), F_GETFL);
  fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK);
  const timeval bound{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
}

result<descriptor> connect_to(const std::filesystem::path& socket) {
  ZENITH_TRY_ASSIGN(const sockaddr_un address, address_of(socket));
  descriptor connected(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connected) return failure("cannot make a socket for", socket);
  if (connect(connected.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return connected;
  if (errno == ENOENT || errno == ECONNREFUSED)
    return fail(errc::unavailable, "nobody listens on " + socket.string());
  return failure("cannot connect to", socket);
}

result<void> read_exactly(int socket, byte_span into, deadline until) {
  while (!into.empty()) {
    ZENITH_TRY(wait_for(socket, POLLIN, until));
    const ssize_t got = recv(socket, into.data(), into.size(), MSG_DONTWAIT);
    if (got == 0) return fail(errc::unavailable, "the peer closed the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR)
      return fail(errc::io, std::string("cannot read from the peer: ") + std::strerror(errno));
    if (got > 0) into = into.subspan(static_cast<size_t>(got));
  }
  return {};
}

result<void> write_all(int socket, byte_view data, deadline until) {
  while (!data.empty()) {
    const ssize_t sent = send(socket, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      return fail(errc::unavailable,
                  std::string("cannot write to the peer: ") + std::strerror(errno));
    if (sent > 0) data = data.subspan(static_cast<size_t>(sent));
    if (!data.empty()) ZENITH_TRY(wait_for(socket, POLLOUT, until));
  }
  return {};
}

}  // namespace zenith::actors
