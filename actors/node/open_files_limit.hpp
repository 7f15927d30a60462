// How many files the process may have open, against what its settings ask for.
#pragma once

#include <cstdint>

#include "config/settings.hpp"
#include "storage/base/result.hpp"

namespace zenith::actors {

/// Raises the process's soft limit of descriptors (RLIMIT_NOFILE) to its hard one; servers that it
/// starts inherit that. Gives the limit from then on. Errors: io.
result<uint64_t> raise_open_files_limit();

/// Whether the limit has room for layer files (open_files_max), a descriptor each of the
/// connections (connections_max), and 256 for all else: sockets, and the WAL segments of timelines,
/// of which each open one holds a few. Errors: limit, with both numbers.
result<void> check_open_files(const config::settings& settings, uint64_t limit);

}  // namespace zenith::actors
