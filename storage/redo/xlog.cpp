// The XLOG resource manager: control data; its images are restored with all others.
#include <fmt/format.h>

#include <optional>

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
/// believed, except for oldestMulti, which MultiXactAdvanceOldest only ever advances.
result<void> take_checkpoint(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto checkpoint, read_main<CheckPoint>(record));
  const bool shutdown = record.opcode() == XLOG_CHECKPOINT_SHUTDOWN;
  return change_control(sink, [&](ControlFileData& control) {
    const CheckPoint before = control.checkPointCopy;
    CheckPoint& now = control.checkPointCopy;
    now = checkpoint;
    if (multixact_precedes(checkpoint.oldestMulti, before.oldestMulti)) {
      now.oldestMulti = before.oldestMulti;
      now.oldestMultiDB = before.oldestMultiDB;
    }
    if (!shutdown) {
      if (transaction_id_precedes(checkpoint.oldestXid, before.oldestXid)) {
        now.oldestXid = before.oldestXid;
        now.oldestXidDB = before.oldestXidDB;
      }
      now.oldestCommitTsXid =
          later_transaction_id(checkpoint.oldestCommitTsXid, before.oldestCommitTsXid);
      now.newestCommitTsXid =
          later_transaction_id(checkpoint.newestCommitTsXid, before.newestCommitTsXid);
    }
    control.checkPoint = record.start.value();
    control.state = shutdown ? DB_SHUTDOWNED : DB_IN_PRODUCTION;
    control.time = checkpoint.time;
  });
}

result<void> take_parameters(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto parameters, read_main<xl_parameter_change>(record));
  std::optional<result<void>> switched;
  ZENITH_TRY(change_control(sink, [&](ControlFileData& control) {
    control.MaxConnections = parameters.MaxConnections;
    control.max_worker_processes = parameters.max_worker_processes;
    control.max_wal_senders = parameters.max_wal_senders;
    control.max_prepared_xacts = parameters.max_prepared_xacts;
    control.max_locks_per_xact = parameters.max_locks_per_xact;
    control.wal_level = parameters.wal_level;
    control.wal_log_hints = parameters.wal_log_hints;
    switched = switch_commit_timestamps(sink, parameters.track_commit_timestamp, control);
    control.track_commit_timestamp = parameters.track_commit_timestamp;
  }));
  return switched ? std::move(*switched) : result<void>{};
}

/// xlogrecovery_redo and ReachedEndOfBackup: the backup that the history began with is complete.
result<void> end_backup(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto start, read_main<XLogRecPtr>(record));
  return change_control(sink, [start](ControlFileData& control) {
    if (control.backupStartPoint != start) return;
    control.backupStartPoint = InvalidXLogRecPtr;
    control.backupEndPoint = InvalidXLogRecPtr;
    control.backupEndRequired = false;
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
      return change_control(sink, [on](ControlFileData& control) {
        control.checkPointCopy.fullPageWrites = on != 0;
      });
    }
    case XLOG_END_OF_RECOVERY: {
      ZENITH_TRY_ASSIGN(const auto end, read_main<xl_end_of_recovery>(record));
      return change_control(sink, [&end](ControlFileData& control) {
        control.checkPointCopy.ThisTimeLineID = end.ThisTimeLineID;
        control.checkPointCopy.PrevTimeLineID = end.PrevTimeLineID;
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
