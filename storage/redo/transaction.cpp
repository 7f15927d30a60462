// The transaction resource manager: commits, aborts and prepared transactions (xact.c).
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "storage/redo/control_data.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/replication_origin.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/slru_pages.hpp"
#include "storage/redo/transaction_record.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/clog.h>
#include <access/transam.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

template <class Each>
void for_each_xid(const transaction_end& end, const Each& each) {
  each(end.xid);
  for (size_t i = 0; i < end.subtransactions.size(); ++i) each(end.subtransactions[i]);
}

/// Puts the record under each page of an SLRU that holds one of the transaction's ids, once.
result<void> put_pages(const transaction_end& end, slru_kind slru, uint32_t xids_per_page,
                       change_sink& sink) {
  std::vector<uint32_t> pages;
  for_each_xid(end, [&](uint32_t xid) {
    if (pages.empty() || pages.back() != xid / xids_per_page) pages.push_back(xid / xids_per_page);
  });
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  for (const uint32_t page_number : pages) ZENITH_TRY(put_slru_record(sink, slru, page_number));
  return {};
}

/// TransactionTreeSetCommitTsData (commit_ts.c).
result<void> put_commit_timestamps(const transaction_end& end, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const bool kept, keeps_commit_timestamps(sink));
  if (!kept) return {};
  ZENITH_TRY(put_pages(end, slru_kind::commit_ts, commit_ts_per_page, sink));
  const uint32_t newest = end.subtransactions.size() > 0
                              ? end.subtransactions[end.subtransactions.size() - 1]
                              : end.xid;
  return change_control(sink, [newest](pg::control_file& control) {
    auto& before = control.last_checkpoint.newest_commit_ts_xid;
    if (transaction_id_precedes(before, newest)) before = newest;
  });
}

/// DropRelationFiles: every fork of each relation.
result<void> drop_relations(const transaction_end& end, change_sink& sink) {
  for (size_t i = 0; i < end.dropped.size(); ++i) {
    const relation_id relation = end.dropped[i];
    for (const fork_number fork : all_forks) {
      const auto state = sink.current_relation(relation, fork);
      if (!state && state.error().code == errc::io) return tl::unexpected<error>(state.error());
      // Whatever it was that cannot be read is gone.
      if (!state || *state) sink.put_relation(relation, fork, std::nullopt);
    }
  }
  return {};
}

/// xact_redo_commit and xact_redo_abort.
result<void> ingest_end(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto end, parse_transaction_end(record));
  sink.put_transaction_end(end.time_us);
  ZENITH_TRY(put_pages(end, slru_kind::xact, xacts_per_page, sink));
  if (end.has_origin && record.origin)
    ZENITH_TRY(advance_replication_origin(sink, *record.origin, end.origin_lsn, false));
  ZENITH_TRY(drop_relations(end, sink));
  if (end.prepared) sink.put_absent(key::two_phase(end.xid));
  if (end.committed) ZENITH_TRY(put_commit_timestamps(end, sink));
  return {};
}

/// PrepareRedoAdd and RecreateTwoPhaseFile (twophase.c): the file is the record's data and a CRC.
result<void> ingest_prepare(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto prepare, parse_transaction_prepare(record));
  bytes file(record.main_data.begin(), record.main_data.end());
  const uint32_t crc = crc32c(file);
  file.resize(file.size() + sizeof crc);
  store(file.data() + file.size() - sizeof crc, crc);
  sink.put_value(key::two_phase(prepare.xid), std::move(file));
  if (record.origin)
    ZENITH_TRY(advance_replication_origin(sink, *record.origin, prepare.origin_lsn, false));
  return {};
}

/// TransactionIdSetStatusBit (clog.c): two bits an id, four ids a byte.
void set_status(page& p, uint32_t xid, uint8_t status) {
  const uint32_t entry = xid % xacts_per_page;
  const unsigned shift = (entry % 4) * 2;
  auto value = std::to_integer<uint8_t>(p.data[entry / 4]);
  value = static_cast<uint8_t>((value & ~(3u << shift)) | (unsigned{status} << shift));
  p.data[entry / 4] = std::byte{value};
}

/// TransactionIdSetCommitTs (commit_ts.c): a CommitTimestampEntry of 10 bytes.
void set_commit_timestamp(page& p, uint32_t xid, int64_t time_us, uint16_t origin) {
  std::byte* entry = p.data.data() + commit_ts_entry_size_bytes * (xid % commit_ts_per_page);
  store(entry, time_us);
  store(entry + sizeof time_us, origin);
}

}  // namespace

result<void> ingest_transaction(const pg::record& record, change_sink& sink) {
  switch (operation_of(record)) {
    case transaction_operation::commit:
    case transaction_operation::commit_prepared:
    case transaction_operation::abort:
    case transaction_operation::abort_prepared:
      return ingest_end(record, sink);
    case transaction_operation::prepare:
      return ingest_prepare(record, sink);
    case transaction_operation::assignment:
    case transaction_operation::invalidations:
      return {};
  }
  return fail(errc::unsupported, "the transaction resource manager has no such operation");
}

result<void> apply_transaction(const pg::record& record, const pg::block_reference*, const key& k,
                               page& p) {
  ZENITH_TRY_ASSIGN(const auto end, parse_transaction_end(record));
  if (k.kind == key_kind::slru_page && k.slru_of() == slru_kind::xact) {
    const uint8_t status =
        end.committed ? TRANSACTION_STATUS_COMMITTED : TRANSACTION_STATUS_ABORTED;
    for_each_xid(end, [&](uint32_t xid) {
      if (xid / xacts_per_page == k.d) set_status(p, xid, status);
    });
    return {};
  }
  if (k.kind == key_kind::slru_page && k.slru_of() == slru_kind::commit_ts && end.committed) {
    // A replicated transaction's time is that of its origin (xact_redo_commit).
    const int64_t time_us = end.has_origin ? end.origin_time_us : end.time_us;
    for_each_xid(end, [&](uint32_t xid) {
      if (xid / commit_ts_per_page == k.d)
        set_commit_timestamp(p, xid, time_us, record.origin.value_or(0));
    });
    return {};
  }
  return fail(errc::corrupt, "the end of a transaction does not change this page");
}

}  // namespace zenith::redo
