// Locks by flock(2).
#include "storage/io/file_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace zenith {
namespace {

tl::unexpected<error> failed(std::string_view what, const path& name, int reason) {
  return fail(
      reason == ENOENT ? errc::not_found : errc::io,
      fmt::format("{} {}: {}", what, name.string(), std::generic_category().message(reason)));
}

constexpr int attempts_max = 20;

// The process id that the holder wrote, "?" where it has not yet.
std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), 0);
  std::string digits;
  for (ssize_t i = 0;
       i < got && text[static_cast<size_t>(i)] >= '0' && text[static_cast<size_t>(i)] <= '9'; ++i)
    digits += text[static_cast<size_t>(i)];
  return digits.empty() ? "?" : digits;
}

}  // namespace

result<std::unique_ptr<file_lock>> file_lock::try_lock(const path& name) {
  const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return failed("cannot open", name, errno);
  std::unique_ptr<file_lock> lock(new file_lock(descriptor));
  // holder_of has it for an instant, so one refusal proves nothing.
  int got = 0;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    got = ::flock(descriptor, LOCK_EX | LOCK_NB);
    if (got == 0 || (errno != EINTR && errno != EWOULDBLOCK)) break;
    const int reason = errno;
    ::poll(nullptr, 0, 1);
    errno = reason;
  }
  if (got != 0 && errno == EWOULDBLOCK)
    return fail(errc::conflict,
                fmt::format("{} is locked by process {}", name.string(), holder(descriptor)));
  if (got != 0) return failed("cannot lock", name, errno);
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return failed("cannot write", name, errno);
  return lock;
}

result<std::optional<int>> file_lock::holder_of(const path& name) {
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return std::nullopt;
  if (descriptor < 0) return failed("cannot open", name, errno);
  const file_lock closed_at_the_end(descriptor);
  if (::flock(descriptor, LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  if (errno != EWOULDBLOCK) return failed("cannot ask for the lock of", name, errno);
  return std::atoi(holder(descriptor).c_str());
}

file_lock::~file_lock() { ::close(descriptor_); }

}  // namespace zenith
