// The XLOG resource manager: control data; its images are restored with all others.
#include "storage/postgres/checkpoint.hpp"
#include "storage/redo/control_data.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/slru_pages.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/xlog_internal.h>
#include <catalog/pg_control.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// The later of two ids, where 0 is "none".
uint32_t later_transaction_id(uint32_t a, uint32_t b) {
  return transaction_id_precedes(a, b) ? b : a;
}

/// xlog_redo of a checkpoint: the record's copy, but no limit goes back. An online checkpoint took
/// its limits when it began, and a truncation may have moved them since; a shutdown checkpoint is
/// believed, except for the oldest multixact, which MultiXactAdvanceOldest only ever advances.
result<void> take_checkpoint(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto checkpoint, pg::decode_checkpoint(record.main_data));
  const bool shutdown = record.opcode() == XLOG_CHECKPOINT_SHUTDOWN;
  return change_control(sink, [&](pg::control_file& control) {
    const pg::checkpoint before = control.last_checkpoint;
    pg::checkpoint& now = control.last_checkpoint;
    now = checkpoint;
    if (multixact_precedes(checkpoint.oldest_multixact, before.oldest_multixact)) {
      now.oldest_multixact = before.oldest_multixact;
      now.oldest_multixact_database = before.oldest_multixact_database;
    }
    if (!shutdown) {
      if (transaction_id_precedes(checkpoint.oldest_xid, before.oldest_xid)) {
        now.oldest_xid = before.oldest_xid;
        now.oldest_xid_database = before.oldest_xid_database;
      }
      now.oldest_commit_ts_xid =
          later_transaction_id(checkpoint.oldest_commit_ts_xid, before.oldest_commit_ts_xid);
      now.newest_commit_ts_xid =
          later_transaction_id(checkpoint.newest_commit_ts_xid, before.newest_commit_ts_xid);
    }
    control.checkpoint_record = record.start;
    control.state = shutdown ? pg::database_state::shut_down : pg::database_state::in_production;
    control.time_s = checkpoint.time_s;
  });
}

result<void> take_parameters(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto parameters, read_main<xl_parameter_change>(record));
  result<void> switched;
  ZENITH_TRY(change_control(sink, [&](pg::control_file& control) {
    control.max_connections = parameters.MaxConnections;
    control.max_worker_processes = parameters.max_worker_processes;
    control.max_wal_senders = parameters.max_wal_senders;
    control.max_prepared_transactions = parameters.max_prepared_xacts;
    control.max_locks_per_transaction = parameters.max_locks_per_xact;
    control.wal_level = parameters.wal_level;
    control.wal_log_hints = main_flag(record, offsetof(xl_parameter_change, wal_log_hints));
    const bool tracks = main_flag(record, offsetof(xl_parameter_change, track_commit_timestamp));
    switched = switch_commit_timestamps(sink, tracks, control);
    control.track_commit_timestamp = tracks;
  }));
  return switched;
}

/// xlogrecovery_redo and ReachedEndOfBackup: the backup that the history began with is complete.
result<void> end_backup(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto start, read_main<XLogRecPtr>(record));
  return change_control(sink, [start](pg::control_file& control) {
    if (control.backup_start != lsn{start}) return;
    control.backup_start = lsn{};
    control.backup_end = lsn{};
    control.backup_end_required = false;
  });
}

}  // namespace

result<void> ingest_xlog(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case XLOG_CHECKPOINT_SHUTDOWN:
    case XLOG_CHECKPOINT_ONLINE:
      return take_checkpoint(record, sink);
    case XLOG_PARAMETER_CHANGE:
      return take_parameters(record, sink);
    case XLOG_BACKUP_END:
      return end_backup(record, sink);
    case XLOG_FPW_CHANGE: {
      ZENITH_TRY_ASSIGN(const auto on, read_main<uint8_t>(record));
      return change_control(sink, [on](pg::control_file& control) {
        control.last_checkpoint.full_page_writes = on != 0;
      });
    }
    case XLOG_END_OF_RECOVERY: {
      ZENITH_TRY_ASSIGN(const auto end, read_main<xl_end_of_recovery>(record));
      return change_control(sink, [&end](pg::control_file& control) {
        control.last_checkpoint.timeline = pg_timeline{end.ThisTimeLineID};
        control.last_checkpoint.previous_timeline = pg_timeline{end.PrevTimeLineID};
      });
    }
    case XLOG_NEXTOID:  // a counter
    case XLOG_FPI:      // pages
    case XLOG_FPI_FOR_HINT:
    case XLOG_NOOP:
    case XLOG_SWITCH:
    case XLOG_RESTORE_POINT:
    case XLOG_OVERWRITE_CONTRECORD:
      return {};
    default:
      return fail(errc::unsupported, "the XLOG resource manager has no such operation");
  }
}

result<void> apply_xlog(const pg::record& record, const pg::block_reference*, const key&, page&) {
  // XLOG_FPI_FOR_HINT has no image where full_page_writes was off, and changes nothing then.
  if (record.opcode() == XLOG_FPI_FOR_HINT) return {};
  return fail(errc::corrupt, "an XLOG record changes pages by images alone, and has none for this");
}

}  // namespace zenith::redo
