// newest_timeline_wal: a pg_wal folder's WAL across pg_timelines.
#pragma once

#include <filesystem>

#include "storage/wal/wal_source.hpp"

namespace zenith::testing {

/// The WAL of a pg_wal folder across pg_timelines: of each segment, the newest pg_timeline's file
/// counts, which begins with a copy of its parent's bytes (xlog.c, XLogInitNewTimeline).
class newest_timeline_wal final : public wal::wal_source {
 public:
  newest_timeline_wal(std::filesystem::path folder, uint32_t segment_size_bytes, lsn from);

  lsn begin() const override { return from_; }
  lsn end() const override { return until_; }
  result<void> read(lsn at, byte_span into) const override;

  /// The file that holds an LSN; empty where none does.
  std::filesystem::path file_of(lsn at) const;

 private:
  std::filesystem::path folder_;
  uint32_t segment_size_bytes_;
  lsn from_;
  lsn until_;
};

}  // namespace zenith::testing
