// import_directory: a cleanly shut down data directory as keys and values, the base of a timeline.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/backup/pg_history.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::backup {

struct imported_cluster {
  system_identifier system{};
  uint32_t segment_size_bytes = 0;
  bool has_checksums = false;
  /// L0, as of which all values are: the aligned end of the shutdown checkpoint's record.
  lsn base;
  /// Where that record begins: the one before L0.
  lsn last_record;
  pg_timeline timeline{};
  /// What the pg_timeline goes back to, from its history file; empty where there is none.
  std::vector<past_pg_timeline> history;
  /// The files in pg_wal that hold the segment of the last record up to L0, in order: who keeps
  /// them can start a server at L0 from the cluster's own checkpoint.
  std::vector<std::string> wal_segments;
};

using key_value_callback = std::function<result<void>(const key&, byte_view)>;

/// Reads everything of the directory that a later server needs, and gives it out in strictly
/// increasing order of the keys; values are valid during the call only. Checks versions, the
/// control file, that the server was shut down cleanly, and each page's checksum where the cluster
/// has them.
/// Errors: unsupported (not PostgreSQL 15), conflict (not shut down), corrupt (naming file and
/// block), not_found, io, and the callback's.
result<imported_cluster> import_directory(file_system& files, const path& directory,
                                          const key_value_callback& each);

}  // namespace zenith::backup
