// Redo of the resource manager Heap2 (heapam.c, heap2_redo).
#include <fmt/format.h>

#include <cstddef>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/heap_redo.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/visibility.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/htup_details.h>
#include <access/transam.h>
#include <storage/itemid.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

static_assert(sizeof(multi_insert_header) == SizeOfHeapMultiInsert);
static_assert(offsetof(multi_insert_header, tuple_count) ==
              offsetof(xl_heap_multi_insert, ntuples));

namespace {

/// heap_xlog_prune and heap_page_prune_execute (pruneheap.c).
result<void> apply_prune(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto prune, read_main<xl_heap_prune>(record, SizeOfHeapPrune));
  record_reader data(reference.data);
  for (uint16_t i = 0; i < prune.nredirected; ++i) {
    ZENITH_TRY_ASSIGN(const auto from, data.take<uint16_t>());
    ZENITH_TRY_ASSIGN(const auto to, data.take<uint16_t>());
    ZENITH_TRY(pg::line_pointer_at(p, to));
    ZENITH_TRY(pg::set_line_pointer(p, from, {to, LP_REDIRECT, 0}));
  }
  for (uint16_t i = 0; i < prune.ndead; ++i) {
    ZENITH_TRY_ASSIGN(const auto dead, data.take<uint16_t>());
    ZENITH_TRY(pg::set_line_pointer(p, dead, {0, LP_DEAD, 0}));
  }
  while (data.rest().size() >= sizeof(uint16_t)) {
    ZENITH_TRY_ASSIGN(const auto unused, data.take<uint16_t>());
    ZENITH_TRY(pg::set_line_pointer(p, unused, {0, LP_UNUSED, 0}));
  }
  return pg::page_repair_fragmentation(p);
}

/// heap_xlog_vacuum.
result<void> apply_vacuum(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto vacuum, read_main<xl_heap_vacuum>(record, SizeOfHeapVacuum));
  record_reader data(reference.data);
  for (uint16_t i = 0; i < vacuum.nunused; ++i) {
    ZENITH_TRY_ASSIGN(const auto unused, data.take<uint16_t>());
    ZENITH_TRY(pg::set_line_pointer(p, unused, {0, LP_UNUSED, 0}));
  }
  return pg::page_truncate_line_pointers(p);
}

/// heap_xlog_freeze_page and heap_execute_freeze_tuple.
result<void> apply_freeze(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto freeze,
                    read_main<xl_heap_freeze_page>(record, SizeOfHeapFreezePage));
  record_reader data(reference.data);
  for (uint16_t i = 0; i < freeze.ntuples; ++i) {
    ZENITH_TRY_ASSIGN(const auto plan, data.take<xl_heap_freeze_tuple>());
    ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, plan.offset));
    auto header = load_header(tuple);
    header.xmax = plan.xmax;
    if (plan.frzflags & XLH_FREEZE_XVAC) header.cid_or_xvac = FrozenTransactionId;
    if (plan.frzflags & XLH_INVALID_XVAC) header.cid_or_xvac = InvalidTransactionId;
    header.infomask = plan.t_infomask;
    header.infomask2 = plan.t_infomask2;
    store_header(tuple, header);
  }
  return {};
}

/// One tuple of a multi-insert; `size_bytes` of contents are next in the data.
result<void> add_inserted_tuple(const pg::record& record, block_number block, uint16_t offset,
                                const xl_multi_insert_tuple& logged, byte_view contents, page& p) {
  tuple_builder tuple;
  ZENITH_TRY(tuple.append(contents));
  tuple_header header;
  header.infomask2 = logged.t_infomask2;
  header.infomask = logged.t_infomask;
  header.hoff = logged.t_hoff;
  header.xmin = record.xid;
  header.set_first_command();
  header.set_ctid(block, offset);
  return add_tuple(p, tuple.finish(header), offset);
}

/// heap_xlog_multi_insert.
result<void> apply_multi_insert(const pg::record& record, const pg::block_reference& reference,
                                page& p) {
  ZENITH_TRY_ASSIGN(const auto insert, read_main<multi_insert_header>(record));
  const bool init = record.opcode() & XLOG_HEAP_INIT_PAGE;
  if (init) pg::page_init(p, 0);
  record_reader offsets(record.main_data.subspan(sizeof(multi_insert_header)));
  record_reader data(reference.data);
  for (uint16_t i = 0; i < insert.tuple_count; ++i) {
    uint16_t offset = static_cast<uint16_t>(i + 1);
    if (!init) {
      ZENITH_TRY_ASSIGN(offset, offsets.take<uint16_t>());
    }
    // Each tuple's header is aligned to two bytes in the data (SHORTALIGN).
    const size_t position = reference.data.size() - data.rest().size();
    ZENITH_TRY(data.take(position % alignof(uint16_t)));
    ZENITH_TRY_ASSIGN(const auto raw, data.take(SizeOfMultiInsertTuple));
    xl_multi_insert_tuple logged{};
    std::memcpy(&logged, raw.data(), raw.size());
    ZENITH_TRY_ASSIGN(const auto contents, data.take(logged.datalen));
    ZENITH_TRY(add_inserted_tuple(record, reference.block, offset, logged, contents, p));
  }
  if (!data.rest().empty())
    return fail(errc::corrupt,
                fmt::format("{} bytes follow the last tuple of the record", data.rest().size()));
  if (insert.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) clear_all_visible(p);
  if (insert.flags & XLH_INSERT_ALL_FROZEN_SET) set_all_visible(p);
  return {};
}

/// heap_xlog_lock_updated.
result<void> apply_lock_updated(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(const auto lock,
                    read_main<xl_heap_lock_updated>(record, SizeOfHeapLockUpdated));
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, lock.offnum));
  auto header = load_header(tuple);
  header.clear_xmax_bits();
  header.set_infobits(lock.infobits_set);
  header.xmax = lock.xmax;
  store_header(tuple, header);
  return {};
}

/// heap_xlog_visible. The server moves the heap page's LSN only where it logs hint bits (data
/// checksums or wal_log_hints), which no record says; here it stays. That is safe either way: a
/// lower LSN only makes a server log another full image.
result<void> apply_visible(const pg::record& record, const pg::block_reference& reference,
                           const key& k, page& p) {
  if (reference.id == 0) return set_visibility(record, k, p);
  set_all_visible(p);
  return {};
}

result<void> apply_to_heap_page(const pg::record& record, const pg::block_reference& reference,
                                page& p) {
  switch (record.opcode() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP2_PRUNE:
      return apply_prune(record, reference, p);
    case XLOG_HEAP2_VACUUM:
      return apply_vacuum(record, reference, p);
    case XLOG_HEAP2_FREEZE_PAGE:
      return apply_freeze(record, reference, p);
    case XLOG_HEAP2_MULTI_INSERT:
      return apply_multi_insert(record, reference, p);
    case XLOG_HEAP2_LOCK_UPDATED:
      return apply_lock_updated(record, p);
    default:  // REWRITE and NEW_CID serve logical decoding only, and have no pages.
      return fail(errc::corrupt, "a record of this kind changes no page");
  }
}

}  // namespace

result<void> apply_heap2(const pg::record& record, const pg::block_reference* reference,
                         const key& k, page& p) {
  if (reference == nullptr) {
    if (k.relation_fork() != fork_number::vm)
      return fail(errc::corrupt, "the record does not name this page");
    return apply_cleared_visibility(record, k, p);
  }
  if ((record.opcode() & XLOG_HEAP_OPMASK) == XLOG_HEAP2_VISIBLE)
    return apply_visible(record, *reference, k, p);
  ZENITH_TRY(apply_to_heap_page(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

result<void> ingest_heap2(const pg::record& record, change_sink& sink) {
  return ingest_cleared_visibility(record, sink);
}

}  // namespace zenith::redo
