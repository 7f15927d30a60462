// base_backup: a data directory as of any LSN, from which a stock server starts with no recovery.
#pragma once

#include <string>
#include <vector>

#include "storage/backup/backup_sink.hpp"
#include "storage/backup/pg_history.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/base/timestamp.hpp"
#include "storage/layers/view.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::backup {

/// What the server starts from.
enum class start_record {
  appended_checkpoint,  ///< a shutdown checkpoint that is made, and lies at L only in this backup
  last_checkpoint,      ///< the WAL itself ends at L with the shutdown checkpoint of a clean stop
};
enum class server_kind { writable, read_only };

struct extra_file {
  std::string name;
  std::string contents;
};

struct base_backup_options {
  /// L: the aligned end of a whole record, not past the view's end.
  lsn at;
  /// Where the last record before L begins. A follower compares it with the appended record's
  /// back-link, and with last_checkpoint it is the record that the server starts from.
  lsn previous_record;
  /// The server's own; with appended_checkpoint it is new, and the last of `history` ends at L
  /// (or it goes on, where this is the first server of a root timeline).
  pg_timeline timeline{1};
  /// Oldest first. Numbers and LSNs that do not go down.
  std::vector<past_pg_timeline> history;
  start_record start = start_record::appended_checkpoint;
  server_kind kind = server_kind::writable;  ///< read_only: with a standby.signal
  /// Beside the configuration files that the view holds; one of the same name replaces it.
  std::vector<extra_file> extra_files;
  timestamp now;
};

struct base_backup_summary {
  lsn checkpoint;  ///< the start of the record that the control file names
  lsn end;         ///< where the server writes its first own record
  uint64_t relations = 0;
  uint64_t bytes = 0;  ///< of relation files
};

/// Writes everything, the control file last, and calls sink.finish(). `wal`: where the timeline's
/// bytes before L are read, may be nullptr for none; last_checkpoint needs them (its record).
/// Errors: invalid_argument (options that contradict each other), out_of_range (L outside the view,
/// WAL that is needed and not kept), corrupt (a page newer than L, state that is missing), and
/// those of view, source and sink.
result<base_backup_summary> write_base_backup(const layers::view& view, const wal::wal_source* wal,
                                              const base_backup_options& options,
                                              backup_sink& sink);

}  // namespace zenith::backup
