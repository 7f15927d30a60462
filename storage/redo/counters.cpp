// How records move the counters.
#include "storage/redo/counters.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/postgres/checkpoint.hpp"
#include "storage/redo/multixact_record.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/slru_pages.hpp"
#include "storage/redo/transaction_record.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/multixact.h>
#include <catalog/pg_control.h>
#include <storage/standbydefs.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

using rm = pg::resource_manager;

template <class T>
result<T> counter_of(const std::optional<bytes>& value, const key& k) {
  if (value && value->size() == sizeof(T)) return load<T>(value->data());
  return fail(
      errc::corrupt,
      fmt::format("the counter \"{}\" must have {} bytes before this record, and {}", to_string(k),
                  sizeof(T), value ? fmt::format("has {}", value->size()) : "does not exist"));
}

template <class T>
result<T> current_counter(change_sink& sink, const key& k) {
  if (const auto* known = sink.at_hand(k)) return counter_of<T>(*known, k);
  ZENITH_TRY_ASSIGN(const auto value, sink.current(k));
  return counter_of<T>(value, k);
}

template <class T>
bytes as_value(T value) {
  bytes out(sizeof(T));
  store(out.data(), value);
  return out;
}

bool is_checkpoint(const pg::record& record) {
  return record.rmgr == rm::xlog &&
         (record.opcode() == XLOG_CHECKPOINT_SHUTDOWN || record.opcode() == XLOG_CHECKPOINT_ONLINE);
}

/// Where `next` stands after every id that a transaction's end, its preparing or the assignment of
/// subtransactions names (xact_redo_commit, xact_redo_abort, PrescanPreparedTransactions,
/// ProcArrayApplyXidAssignment).
result<uint64_t> past_transaction_record(const pg::record& record, uint64_t next) {
  const auto past_all = [&next](uint32_t xid, packed_array<uint32_t> subtransactions) {
    next = past_transaction_id(next, xid);
    for (size_t i = 0; i < subtransactions.size(); ++i)
      next = past_transaction_id(next, subtransactions[i]);
  };
  switch (operation_of(record)) {
    case transaction_operation::prepare: {
      ZENITH_TRY_ASSIGN(const auto prepare, parse_transaction_prepare(record));
      past_all(prepare.xid, prepare.subtransactions);
      break;
    }
    case transaction_operation::assignment: {
      ZENITH_TRY_ASSIGN(const auto assignment, parse_transaction_assignment(record));
      past_all(assignment.toplevel_xid, assignment.subtransactions);
      break;
    }
    case transaction_operation::invalidations:
      break;
    default: {
      ZENITH_TRY_ASSIGN(const auto end, parse_transaction_end(record));
      past_all(end.xid, end.subtransactions);
    }
  }
  return next;
}

/// The same for the other records that name ids besides their own.
result<uint64_t> past_other_record(const pg::record& record, uint64_t next) {
  if (is_checkpoint(record)) {
    // A shutdown checkpoint is believed exactly, an online one as a minimum (xlog_redo).
    ZENITH_TRY_ASSIGN(const auto checkpoint, pg::decode_checkpoint(record.main_data));
    return record.opcode() == XLOG_CHECKPOINT_SHUTDOWN ? checkpoint.next_full_xid
                                                       : std::max(next, checkpoint.next_full_xid);
  }
  if (record.rmgr == rm::standby && record.opcode() == XLOG_RUNNING_XACTS) {
    // ProcArrayApplyRecoveryInfo (procarray.c): the record's nextXid was not used yet.
    record_reader reader(record.main_data);
    ZENITH_TRY(reader.take(offsetof(xl_running_xacts, nextXid)));
    ZENITH_TRY_ASSIGN(uint32_t last, reader.take<uint32_t>());
    TransactionIdRetreat(last);
    return past_transaction_id(next, last);
  }
  if (record.rmgr == rm::multixact && record.opcode() == XLOG_MULTIXACT_CREATE_ID) {
    ZENITH_TRY_ASSIGN(const auto created, parse_new_multixact(record));
    for (size_t i = 0; i < created.member_count(); ++i)
      next = past_transaction_id(next, created.member(i).xid);
  }
  return next;
}

bool names_transaction_ids(const pg::record& record) {
  return record.xid != 0 || record.toplevel_xid || record.rmgr == rm::transaction ||
         is_checkpoint(record) || record.rmgr == rm::standby || record.rmgr == rm::multixact;
}

result<void> advance_next_full_xid(const pg::record& record, change_sink& sink) {
  if (!names_transaction_ids(record)) return {};
  ZENITH_TRY_ASSIGN(const uint64_t before, current_next_full_xid(sink));
  uint64_t next = past_transaction_id(before, record.xid);
  if (record.toplevel_xid) next = past_transaction_id(next, *record.toplevel_xid);
  if (record.rmgr == rm::transaction) {
    ZENITH_TRY_ASSIGN(next, past_transaction_record(record, next));
  } else {
    ZENITH_TRY_ASSIGN(next, past_other_record(record, next));
  }
  if (next != before) sink.put_value(key::next_full_xid(), as_value(next));
  return {};
}

/// An online checkpoint's nextOid is from its start, older perhaps than a NEXTOID record before it:
/// xlog_redo ignores it.
result<void> advance_next_oid(const pg::record& record, change_sink& sink) {
  if (record.rmgr != rm::xlog) return {};
  uint32_t next = 0;
  if (record.opcode() == XLOG_NEXTOID) {
    ZENITH_TRY_ASSIGN(next, read_main<uint32_t>(record));
  } else if (record.opcode() == XLOG_CHECKPOINT_SHUTDOWN) {
    ZENITH_TRY_ASSIGN(const auto checkpoint, pg::decode_checkpoint(record.main_data));
    next = checkpoint.next_oid;
  } else {
    return {};
  }
  ZENITH_TRY_ASSIGN(const auto before, current_counter<uint32_t>(sink, key::next_oid()));
  if (before != next) sink.put_value(key::next_oid(), as_value(next));
  return {};
}

/// MultiXactAdvanceNextMXact (multixact.c).
next_multixact_value at_least(next_multixact_value now, next_multixact_value minimum) {
  if (multixact_precedes(now.multixact, minimum.multixact)) now.multixact = minimum.multixact;
  if (multixact_precedes(now.offset, minimum.offset)) now.offset = minimum.offset;
  return now;
}

result<void> advance_next_multixact(const pg::record& record, change_sink& sink) {
  const bool creates = record.rmgr == rm::multixact && record.opcode() == XLOG_MULTIXACT_CREATE_ID;
  if (!creates && !is_checkpoint(record)) return {};
  ZENITH_TRY_ASSIGN(const auto before, current_next_multixact(sink));
  next_multixact_value next;
  if (creates) {
    ZENITH_TRY_ASSIGN(const auto created, parse_new_multixact(record));
    next = at_least(before, {created.multixact + 1,
                             created.offset + static_cast<uint32_t>(created.member_count())});
  } else {
    ZENITH_TRY_ASSIGN(const auto checkpoint, pg::decode_checkpoint(record.main_data));
    next = {checkpoint.next_multixact, checkpoint.next_multixact_offset};
    if (record.opcode() == XLOG_CHECKPOINT_ONLINE) next = at_least(before, next);
  }
  if (next != before) sink.put_value(key::next_multixact(), as_value(next));
  return {};
}

}  // namespace

uint64_t past_transaction_id(uint64_t next, uint32_t xid) {
  const auto next_xid = static_cast<uint32_t>(next);
  // TransactionIdFollowsOrEquals.
  if (xid != next_xid && !transaction_id_precedes(next_xid, xid)) return next;
  auto epoch = static_cast<uint32_t>(next >> 32);
  TransactionIdAdvance(xid);
  if (xid < next_xid) ++epoch;
  return uint64_t{epoch} << 32 | xid;
}

result<uint64_t> current_next_full_xid(change_sink& sink) {
  return current_counter<uint64_t>(sink, key::next_full_xid());
}

result<next_multixact_value> current_next_multixact(change_sink& sink) {
  return current_counter<next_multixact_value>(sink, key::next_multixact());
}

result<void> advance_counters(const pg::record& record, change_sink& sink) {
  ZENITH_TRY(advance_next_full_xid(record, sink));
  ZENITH_TRY(advance_next_oid(record, sink));
  return advance_next_multixact(record, sink);
}

}  // namespace zenith::redo
