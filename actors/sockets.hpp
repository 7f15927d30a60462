// Unix sockets in the node's private folder: listening, connecting, whole reads with a deadline.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

/// Owns a file descriptor.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int value) : value_(value) {}
  descriptor(descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~descriptor();
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }
  explicit operator bool() const { return value_ >= 0; }

 private:
  int value_ = -1;
};

/// A socket's path has 107 bytes at most (sockaddr_un).
inline constexpr size_t socket_path_bytes_max = 107;

/// Listens; a socket file that a node before left there is replaced. Mode 0600.
result<descriptor> listen_on(const std::filesystem::path& socket);
/// Accepts one connection within the time; none where nobody came.
descriptor accept_within(const descriptor& listener, int timeout_ms);
/// Makes reads wait for bytes, but no longer than this; with MSG_DONTWAIT they do not.
void wait_no_longer_than(const descriptor& socket, int timeout_ms);
/// Errors: unavailable (nobody listens there), io.
result<descriptor> connect_to(const std::filesystem::path& socket);

using deadline = std::chrono::steady_clock::time_point;
result<void> read_exactly(int socket, byte_span into, deadline until);
result<void> write_all(int socket, byte_view data, deadline until);

}  // namespace zenith::actors
