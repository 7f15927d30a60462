// verify: compares what a view holds as of an LSN with a stopped server's data directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/layers/view.hpp"

namespace zenith::backup {

/// A place where the two differ.
struct mismatch {
  std::string file;        ///< in the data directory: "base/5/16384.1", "pg_xact/0000"
  block_number block = 0;  ///< counted from the start of the fork or SLRU; 0 for other files
  uint32_t offset = 0;     ///< of the first byte that differs, in the block or file
  std::string what;        ///< for people
};

struct verify_report {
  uint64_t relations = 0;
  uint64_t pages = 0;  ///< compared, SLRU pages included
  std::vector<mismatch> mismatches;
  uint64_t mismatch_count = 0;  ///< of all; the list above may be shorter

  bool ok() const { return mismatch_count == 0; }
};

struct verify_options {
  size_t mismatches_max = 1000;  ///< in the list
};

/// Compares every block of every main, vm and init fork, every SLRU page up to the next xid and
/// multixact, every relation map, and all two-phase state. Main and init forks are masked as
/// PostgreSQL's consistency check masks them; visibility maps count bytewise but for LSN and
/// checksum, and an empty map page is as good as none; of free space maps, which are not logged,
/// only the page headers. Trailing blocks of zeros in the directory's files do not count, nor do
/// unlogged and temporary contents.
///
/// The directory belongs to a server of the same history that has played all WAL up to `at`, no
/// more, and was stopped after a checkpoint. Errors: conflict for one that was not shut down, whose
/// checkpoint lies before `at`, or of another cluster; those of reading the directory, and of what
/// is not a page in the view. A page that the view cannot give is a mismatch that says why.
result<verify_report> verify(const layers::view& view, lsn at, file_system& files,
                             const path& directory, const verify_options& options = {});

}  // namespace zenith::backup
