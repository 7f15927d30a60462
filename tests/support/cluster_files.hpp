// cluster_files: what the files of a stopped server hold, under the keys that name it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "tests/support/memory_sink.hpp"

namespace zenith::testing {

/// A data directory read without any code of the project's own but keys.
struct cluster_files {
  std::map<key, bytes> values;        ///< control data, SLRU pages, maps, databases and the like
  std::map<key, block_number> sizes;  ///< forks' lengths, by key::size
  std::map<key, page> blocks;         ///< of every fork
  /// Temporary relations are left out.
  static cluster_files read(const std::filesystem::path& data_directory);

  /// Makes it a sink's state.
  void give_to(memory_sink& sink) const;
};

/// Every record of pg_wal from `start` on, one after the other; gives the end of the last one.
/// Throws where the WAL is damaged, or has another end than zeros or its last file's.
lsn for_each_record(const std::filesystem::path& data_directory, lsn start,
                    const std::function<void(const pg::record&)>& each);

}  // namespace zenith::testing
