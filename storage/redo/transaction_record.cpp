// Taking the transaction manager's records apart.
#include "storage/redo/transaction_record.hpp"

#include <fmt/format.h>

#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/twophase.h>
#include <access/xact.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

static_assert(sizeof(relation_id) == sizeof(RelFileNode));
static_assert(MinSizeOfXactSubxacts == sizeof(int32_t));
static_assert(MinSizeOfXactRelfilenodes == sizeof(int32_t));
static_assert(MinSizeOfXactStatsItems == sizeof(int32_t));
static_assert(MinSizeOfXactInvals == sizeof(int32_t));

template <class T>
result<packed_array<T>> take_array(record_reader& reader, int32_t count, const char* what) {
  if (count < 0 || static_cast<size_t>(count) > reader.rest().size() / sizeof(T))
    return fail(errc::corrupt, fmt::format("the record claims {} {}, {} bytes of it are left",
                                           count, what, reader.rest().size()));
  ZENITH_TRY_ASSIGN(const auto data, reader.take(static_cast<size_t>(count) * sizeof(T)));
  return packed_array<T>{data};
}

template <class T>
result<packed_array<T>> take_counted_array(record_reader& reader, const char* what) {
  ZENITH_TRY_ASSIGN(const auto count, reader.take<int32_t>());
  return take_array<T>(reader, count, what);
}

/// The two-phase part: the prepared transaction's id and, where the record has it, its name.
result<void> take_two_phase(record_reader& reader, uint32_t xinfo, transaction_end& end) {
  ZENITH_TRY_ASSIGN(end.xid, reader.take<uint32_t>());
  if ((xinfo & XACT_XINFO_HAS_GID) == 0) return {};
  const auto name_end = as_text(reader.rest()).find('\0');
  if (name_end == std::string_view::npos)
    return fail(errc::corrupt, "the prepared transaction's name does not end inside the record");
  ZENITH_TRY(reader.take(name_end + 1));
  return {};
}

}  // namespace

result<transaction_end> parse_transaction_end(const pg::record& record) {
  const auto operation = operation_of(record);
  transaction_end end;
  end.committed = operation == transaction_operation::commit ||
                  operation == transaction_operation::commit_prepared;
  end.prepared = operation == transaction_operation::commit_prepared ||
                 operation == transaction_operation::abort_prepared;
  end.xid = end.prepared ? 0 : record.xid;

  record_reader reader(record.main_data);
  ZENITH_TRY_ASSIGN(end.time_us, reader.take<int64_t>());
  uint32_t xinfo = 0;
  if ((record.info & XLOG_XACT_HAS_INFO) != 0) {
    ZENITH_TRY_ASSIGN(xinfo, reader.take<uint32_t>());
  }
  if ((xinfo & XACT_XINFO_HAS_DBINFO) != 0) ZENITH_TRY(reader.take(sizeof(xl_xact_dbinfo)));
  if ((xinfo & XACT_XINFO_HAS_SUBXACTS) != 0) {
    ZENITH_TRY_ASSIGN(end.subtransactions, take_counted_array<uint32_t>(reader, "subtransactions"));
  }
  if ((xinfo & XACT_XINFO_HAS_RELFILENODES) != 0) {
    ZENITH_TRY_ASSIGN(end.dropped, take_counted_array<relation_id>(reader, "dropped relations"));
  }
  if ((xinfo & XACT_XINFO_HAS_DROPPED_STATS) != 0)
    ZENITH_TRY(take_counted_array<xl_xact_stats_item>(reader, "dropped statistics"));
  if ((xinfo & XACT_XINFO_HAS_INVALS) != 0)
    ZENITH_TRY(take_counted_array<SharedInvalidationMessage>(reader, "invalidation messages"));
  if ((xinfo & XACT_XINFO_HAS_TWOPHASE) != 0) ZENITH_TRY(take_two_phase(reader, xinfo, end));
  if ((xinfo & XACT_XINFO_HAS_ORIGIN) != 0) {
    end.has_origin = true;
    ZENITH_TRY_ASSIGN(const auto origin, reader.take<xl_xact_origin>());
    end.origin_lsn = lsn{origin.origin_lsn};
    end.origin_time_us = origin.origin_timestamp;
  }
  if (end.xid == 0) return fail(errc::corrupt, "the record ends a transaction that has no id");
  return end;
}

result<transaction_prepare> parse_transaction_prepare(const pg::record& record) {
  ZENITH_TRY_ASSIGN(const auto header, read_main<xl_xact_prepare>(record));
  // twophase.c, ProcessTwoPhaseBuffer and ReadTwoPhaseFile: the length counts the file's CRC.
  if (header.total_len != record.main_data.size() + sizeof(uint32_t))
    return fail(errc::corrupt,
                fmt::format("the two-phase state claims {} bytes with its CRC, the record has {}",
                            header.total_len, record.main_data.size() + sizeof(uint32_t)));
  transaction_prepare prepare;
  prepare.xid = header.xid;
  prepare.origin_lsn = lsn{header.origin_lsn};
  record_reader reader(record.main_data);
  ZENITH_TRY(reader.take(MAXALIGN(sizeof(xl_xact_prepare))));
  ZENITH_TRY(reader.take(MAXALIGN(header.gidlen)));
  ZENITH_TRY_ASSIGN(prepare.subtransactions,
                    take_array<uint32_t>(reader, header.nsubxacts, "subtransactions"));
  return prepare;
}

result<transaction_assignment> parse_transaction_assignment(const pg::record& record) {
  transaction_assignment assignment;
  record_reader reader(record.main_data);
  ZENITH_TRY_ASSIGN(assignment.toplevel_xid, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(assignment.subtransactions,
                    take_counted_array<uint32_t>(reader, "subtransactions"));
  return assignment;
}

}  // namespace zenith::redo
