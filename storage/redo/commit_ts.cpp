// The commit timestamp resource manager, and timestamps being switched on and off (commit_ts.c).
#include "storage/redo/control_data.hpp"
#include "storage/redo/counters.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/slru_pages.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/commit_ts.h>
#include <access/transam.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// ActivateCommitTs.
result<void> activate(change_sink& sink, pg::checkpoint& limits) {
  ZENITH_TRY_ASSIGN(const uint64_t next, current_next_full_xid(sink));
  const auto next_xid = static_cast<uint32_t>(next);
  if (limits.oldest_commit_ts_xid == InvalidTransactionId)
    limits.oldest_commit_ts_xid = limits.newest_commit_ts_xid = next_xid;
  const key k = key::slru(slru_kind::commit_ts, next_xid / commit_ts_per_page);
  ZENITH_TRY_ASSIGN(const bool exists, sink.exists(k));
  if (!exists) sink.put_value(k, bytes(page_size_bytes));
  return {};
}

/// DeactivateCommitTs.
result<void> deactivate(change_sink& sink, pg::checkpoint& limits) {
  limits.oldest_commit_ts_xid = limits.newest_commit_ts_xid = InvalidTransactionId;
  return remove_slru_pages(sink, slru_kind::commit_ts, 0, UINT32_MAX);
}

}  // namespace

result<void> switch_commit_timestamps(change_sink& sink, bool on, pg::control_file& control) {
  if (on == control.track_commit_timestamp) return {};
  return on ? activate(sink, control.last_checkpoint) : deactivate(sink, control.last_checkpoint);
}

result<void> ingest_commit_ts(const pg::record& record, change_sink& sink) {
  switch (record.opcode()) {
    case COMMIT_TS_ZEROPAGE: {
      ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
      sink.put_record(key::slru(slru_kind::commit_ts, page_number), record_effect::initialises);
      return {};
    }
    case COMMIT_TS_TRUNCATE: {
      ZENITH_TRY_ASSIGN(const auto truncate, read_main<xl_commit_ts_truncate>(record));
      // AdvanceOldestCommitTsXid.
      ZENITH_TRY(change_control(sink, [&truncate](pg::control_file& control) {
        auto& oldest = control.last_checkpoint.oldest_commit_ts_xid;
        if (oldest != InvalidTransactionId && transaction_id_precedes(oldest, truncate.oldestXid))
          oldest = truncate.oldestXid;
      }));
      const auto cutoff = static_cast<uint32_t>(truncate.pageno);
      return truncate_slru(sink, slru_kind::commit_ts, cutoff, cutoff);
    }
    default:
      return fail(errc::unsupported, "the commit timestamp manager has no such operation");
  }
}

result<void> apply_commit_ts(const pg::record& record, const pg::block_reference*, const key& k,
                             page& p) {
  ZENITH_TRY_ASSIGN(const auto page_number, read_main<uint32_t>(record));
  if (record.opcode() != COMMIT_TS_ZEROPAGE || k != key::slru(slru_kind::commit_ts, page_number))
    return fail(errc::corrupt, "the record does not change this page");
  p.data.fill(std::byte{0});
  return {};
}

}  // namespace zenith::redo
