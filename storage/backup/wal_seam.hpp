// wal_seam: the WAL that a new server finds: what came before L, and the checkpoint it starts from.
#pragma once

#include <vector>

#include "storage/backup/backup_sink.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::backup {

/// Where a record begins that is written at the aligned end of the one before it: past the page's
/// header where that is a page's start.
lsn record_start_at(lsn at, const wal::wal_identity& identity);

/// The aligned end of a record of that length (EndRecPtr): where the next one may begin.
lsn record_end(lsn start, uint32_t length_bytes, const wal::wal_identity& identity);

/// WAL from `at` on.
struct wal_piece {
  lsn at;
  bytes data;
};

/// The bytes of a record written at `at`, with a header for every page that starts in them.
wal_piece lay_out_record(lsn at, byte_view record, pg_timeline timeline,
                         const wal::wal_identity& identity);

/// The pages that a reader needs before `at` where the true bytes are not kept: the segment's
/// first, and the one that holds `at`, which declares everything before `at` to be the rest of a
/// record, so that a reader finds the next one. Nothing where `at` is a segment's start.
std::vector<wal_piece> stand_in_for_lost_wal(lsn at, pg_timeline timeline,
                                             const wal::wal_identity& identity);

struct wal_seam {
  wal::wal_identity identity;
  pg_timeline timeline{};  ///< in the names of the segment files
  lsn from;                ///< the first byte that the server must find
  lsn until;               ///< where the kept WAL ends for this server: L
  wal_piece appended;      ///< what comes at L; may be empty
};

/// Writes the segment files pg_wal/... that hold from..until and what is appended, whole, with
/// zeros after it. Before `from` in its segment: the source's bytes, as far back as it has them.
/// `source` may be nullptr; then, and where it lacks them, stand-ins are written up to `from`.
/// Errors: out_of_range where the source lacks bytes of from..until, and the sink's and source's.
result<void> write_wal(const wal_seam& seam, const wal::wal_source* source, backup_sink& sink);

}  // namespace zenith::backup
