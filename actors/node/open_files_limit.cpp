// Asking the system for descriptors, and the sum of what the settings need.
#include "actors/node/open_files_limit.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace zenith::actors {
namespace {

constexpr uint64_t others_min = 256;

}  // namespace

result<uint64_t> raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return fail(errc::io, fmt::format("cannot tell how many files the process may open: {}",
                                      std::strerror(errno)));
  if (limit.rlim_cur == limit.rlim_max) return limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return fail(errc::io, fmt::format("cannot raise the limit of open files to {}: {}",
                                      limit.rlim_max, std::strerror(errno)));
  return limit.rlim_cur;
}

result<void> check_open_files(const config::settings& settings, uint64_t limit) {
  const auto layer_files = static_cast<uint64_t>(settings.count("open_files_max"));
  const auto connections = static_cast<uint64_t>(settings.count("connections_max"));
  const uint64_t needed = layer_files + connections + others_min;
  if (needed <= limit) return {};
  return fail(errc::limit,
              fmt::format("the process may have {} files open (ulimit -Hn), and {} are needed: "
                          "open_files_max {}, connections_max {}, and {} for the rest; raise the "
                          "limit, or lower a setting",
                          limit, needed, layer_files, connections, others_min));
}

}  // namespace zenith::actors
