// check: reads every file of a repository, and names each place that is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::repository {

/// A place at which a file is not what was written.
struct damaged_place {
  path file;
  uint64_t offset = 0;  ///< 0 where it is the whole file: a metadata file, one that is missing
  std::string problem;
};

struct check_report {
  uint64_t files = 0;
  uint64_t bytes = 0;
  std::vector<damaged_place> damaged;  ///< in the order of the files
  /// What nothing refers to: left by a crash, or garbage that is not removed yet. No damage.
  std::vector<path> unreferenced;
};

/// Told of each file before it is read.
using check_progress = std::function<void(const path&)>;

/// Reads names, metadata and manifests, every block of every layer file, every record of the WAL;
/// not what is a running node's or a server's own (sockets, logs, data directories). Changes
/// nothing, and needs no node; files that a node removes meanwhile are passed over. Errors:
/// not_found (no repository there), io (of a folder: what is in it cannot be told).
result<check_report> check_repository(file_system& files, const path& directory,
                                      const check_progress& progress = {});

}  // namespace zenith::repository
