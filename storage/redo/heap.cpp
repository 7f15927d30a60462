// Redo of the resource manager Heap, all but updates (heapam.c, heap_redo).
#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/heap_redo.hpp"
#include "storage/redo/heap_tuple.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/visibility.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/htup_details.h>
#include <storage/itemptr.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// heap_xlog_insert.
result<void> apply_insert(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto insert, read_main<xl_heap_insert>(record, SizeOfHeapInsert));
  if (record.opcode() & XLOG_HEAP_INIT_PAGE) pg::page_init(p, 0);
  record_reader data(reference.data);
  ZENITH_TRY_ASSIGN(const auto logged, data.take(SizeOfHeapHeader));
  tuple_builder tuple;
  ZENITH_TRY(tuple.append(data.rest()));
  auto header = new_header(logged);
  header.xmin = record.xid;
  header.set_first_command();
  header.set_ctid(reference.block, insert.offnum);
  ZENITH_TRY(add_tuple(p, tuple.finish(header), insert.offnum));
  if (insert.flags & XLH_INSERT_ALL_VISIBLE_CLEARED) clear_all_visible(p);
  return {};
}

/// heap_xlog_delete.
result<void> apply_delete(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto deletion, read_main<xl_heap_delete>(record, SizeOfHeapDelete));
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, deletion.offnum));
  auto header = load_header(tuple);
  header.clear_xmax_bits();
  header.set_hot_updated(false);
  header.set_infobits(deletion.infobits_set);
  if (deletion.flags & XLH_DELETE_IS_SUPER)
    header.xmin = InvalidTransactionId;
  else
    header.xmax = deletion.xmax;
  header.set_first_command();
  if (deletion.flags & XLH_DELETE_IS_PARTITION_MOVE)
    header.set_ctid(MovedPartitionsBlockNumber, MovedPartitionsOffsetNumber);
  else
    header.set_ctid(reference.block, deletion.offnum);
  store_header(tuple, header);
  set_prunable(p, record.xid);
  if (deletion.flags & XLH_DELETE_ALL_VISIBLE_CLEARED) clear_all_visible(p);
  return {};
}

/// heap_xlog_confirm: a speculative insertion became a real one.
result<void> apply_confirm(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  ZENITH_TRY_ASSIGN(const auto confirm, read_main<xl_heap_confirm>(record, SizeOfHeapConfirm));
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, confirm.offnum));
  auto header = load_header(tuple);
  header.set_ctid(reference.block, confirm.offnum);
  store_header(tuple, header);
  return {};
}

/// heap_xlog_lock.
result<void> apply_lock(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto lock, read_main<xl_heap_lock>(record, SizeOfHeapLock));
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, lock.offnum));
  auto header = load_header(tuple);
  header.clear_xmax_bits();
  header.set_infobits(static_cast<uint8_t>(lock.infobits_set));
  if (HEAP_XMAX_IS_LOCKED_ONLY(header.infomask)) {
    header.set_hot_updated(false);
    header.set_ctid(reference.block, lock.offnum);
  }
  header.xmax = lock.locking_xid;
  header.set_first_command();
  store_header(tuple, header);
  return {};
}

/// heap_xlog_inplace: the tuple's contents are overwritten, its header and length stay.
result<void> apply_inplace(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  ZENITH_TRY_ASSIGN(const auto inplace, read_main<xl_heap_inplace>(record, SizeOfHeapInplace));
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, inplace.offnum));
  const size_t contents_at = load_header(tuple).hoff;
  if (contents_at + reference.data.size() != tuple.size())
    return fail(errc::corrupt, fmt::format("the record overwrites {} bytes of a tuple of {} bytes "
                                           "whose contents start at {}",
                                           reference.data.size(), tuple.size(), contents_at));
  std::copy(reference.data.begin(), reference.data.end(),
            tuple.begin() + static_cast<ptrdiff_t>(contents_at));
  return {};
}

result<void> apply_to_heap_page(const pg::record& record, const pg::block_reference& reference,
                                page& p) {
  switch (record.opcode() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP_INSERT:
      return apply_insert(record, reference, p);
    case XLOG_HEAP_DELETE:
      return apply_delete(record, reference, p);
    case XLOG_HEAP_UPDATE:
    case XLOG_HEAP_HOT_UPDATE:
      return apply_update(record, reference, p);
    case XLOG_HEAP_CONFIRM:
      return apply_confirm(record, reference, p);
    case XLOG_HEAP_LOCK:
      return apply_lock(record, reference, p);
    case XLOG_HEAP_INPLACE:
      return apply_inplace(record, reference, p);
    default:  // TRUNCATE serves logical decoding only, and has no pages.
      return fail(errc::corrupt, "a record of this kind changes no page");
  }
}

}  // namespace

result<void> apply_heap(const pg::record& record, const pg::block_reference* reference,
                        const key& k, page& p) {
  if (reference == nullptr) {
    if (k.relation_fork() != fork_number::vm)
      return fail(errc::corrupt, "the record does not name this page");
    return apply_cleared_visibility(record, k, p);
  }
  ZENITH_TRY(apply_to_heap_page(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

result<void> ingest_heap(const pg::record& record, change_sink& sink) {
  return ingest_cleared_visibility(record, sink);
}

}  // namespace zenith::redo
