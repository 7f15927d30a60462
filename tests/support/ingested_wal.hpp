// ingested_wal: a stopped server's files, and the WAL it wrote after them, as views of any LSN.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "storage/layers/memory_layer.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/map_view.hpp"
#include "tests/support/newest_timeline_wal.hpp"

namespace zenith::testing {

/// Holds its WAL by the folder of segment files, which stays as it is. Made by one that throws.
struct ingested_wal {
  struct record {
    lsn start;
    lsn end;
  };

  imported_map base;
  wal::wal_identity identity;
  std::unique_ptr<newest_timeline_wal> wal;  ///< from the base's last record's segment on
  std::shared_ptr<layers::memory_layer> layer;
  std::vector<record> records;  ///< after the base, oldest first

  layers::view view_until(lsn at) const;
};

/// `base`: a data directory after a clean stop. `wal`: the pg_wal of the server that went on from
/// it. Throws where a record cannot be read or ingested.
ingested_wal ingest_wal(const std::filesystem::path& base, const std::filesystem::path& wal,
                        uint32_t segment_size_bytes);

}  // namespace zenith::testing
