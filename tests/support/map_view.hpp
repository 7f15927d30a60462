// map_view: views over a map of keys and values, and WAL read from a folder of segment files.
#pragma once

#include <filesystem>
#include <memory>

#include "storage/backup/import_directory.hpp"
#include "storage/layers/view.hpp"
#include "storage/wal/wal_source.hpp"
#include "tests/support/map_layer.hpp"

namespace zenith::testing {

/// A data directory in memory.
struct imported_map {
  backup::imported_cluster cluster;
  std::shared_ptr<map_layer> layer;

  layers::view view() const { return view(cluster.base); }
  /// The same values as of a later LSN.
  layers::view view(lsn until) const { return layers::view{{{layer, until}}, cluster.base, until}; }
};

/// Throws where the import fails.
imported_map import_to_map(const std::filesystem::path& data_directory);

/// The bytes from..until of segment files in a folder.
class folder_wal final : public wal::wal_source {
 public:
  folder_wal(std::filesystem::path folder, pg_timeline timeline, uint32_t segment_size_bytes,
             lsn from, lsn until)
      : folder_(std::move(folder)),
        timeline_(timeline),
        segment_size_bytes_(segment_size_bytes),
        from_(from),
        until_(until) {}

  lsn begin() const override { return from_; }
  lsn end() const override { return until_; }
  result<void> read(lsn at, byte_span into) const override;

 private:
  std::filesystem::path folder_;
  pg_timeline timeline_;
  uint32_t segment_size_bytes_;
  lsn from_;
  lsn until_;
};

/// The WAL of an imported cluster from the start of its last record's segment on.
folder_wal wal_of(const imported_map& imported, const std::filesystem::path& data_directory);

}  // namespace zenith::testing
