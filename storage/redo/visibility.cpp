// The visibility map's pages under heap records (visibilitymap.c).
#include "storage/redo/visibility.hpp"

#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/heap_redo.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/visibilitymapdefs.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

constexpr uint32_t page_header_bytes = MAXALIGN(SizeOfPageHeaderData);
constexpr uint32_t heap_blocks_per_byte = 8 / BITS_PER_HEAPBLOCK;
constexpr uint32_t heap_blocks_per_page =
    (page_size_bytes - page_header_bytes) * heap_blocks_per_byte;

result<void> add(cleared_visibility& cleared, const pg::record& record, uint8_t block_id,
                 uint8_t bits) {
  const auto* reference = record.block(block_id);
  if (reference == nullptr)
    return fail(errc::corrupt, fmt::format("the record clears visibility map bits of its block {}, "
                                           "which it does not name",
                                           block_id));
  cleared.relation = reference->relation;
  cleared.entries[cleared.count++] = {reference->block, bits};
  return {};
}

/// A record that clears bits of its block 0, where its flags have `flag`.
template <class Record>
result<cleared_visibility> cleared_by_flag(const pg::record& record, size_t size_bytes,
                                           uint8_t flag, uint8_t bits) {
  cleared_visibility cleared;
  ZENITH_TRY_ASSIGN(const auto fixed, read_main<Record>(record, size_bytes));
  if (fixed.flags & flag) ZENITH_TRY(add(cleared, record, 0, bits));
  return cleared;
}

result<cleared_visibility> cleared_by_update(const pg::record& record) {
  cleared_visibility cleared;
  ZENITH_TRY_ASSIGN(const auto update, read_main<xl_heap_update>(record, SizeOfHeapUpdate));
  const uint8_t old_block_id = record.block(1) != nullptr ? 1 : 0;
  if (update.flags & XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED)
    ZENITH_TRY(add(cleared, record, old_block_id, VISIBILITYMAP_VALID_BITS));
  if (update.flags & XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED)
    ZENITH_TRY(add(cleared, record, 0, VISIBILITYMAP_VALID_BITS));
  return cleared;
}

result<cleared_visibility> cleared_by_heap(const pg::record& record) {
  switch (record.opcode() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP_INSERT:
      return cleared_by_flag<xl_heap_insert>(
          record, SizeOfHeapInsert, XLH_INSERT_ALL_VISIBLE_CLEARED, VISIBILITYMAP_VALID_BITS);
    case XLOG_HEAP_DELETE:
      return cleared_by_flag<xl_heap_delete>(
          record, SizeOfHeapDelete, XLH_DELETE_ALL_VISIBLE_CLEARED, VISIBILITYMAP_VALID_BITS);
    case XLOG_HEAP_UPDATE:
    case XLOG_HEAP_HOT_UPDATE:
      return cleared_by_update(record);
    case XLOG_HEAP_LOCK:
      return cleared_by_flag<xl_heap_lock>(record, SizeOfHeapLock, XLH_LOCK_ALL_FROZEN_CLEARED,
                                           VISIBILITYMAP_ALL_FROZEN);
    default:
      return cleared_visibility{};
  }
}

result<cleared_visibility> cleared_by_heap2(const pg::record& record) {
  switch (record.opcode() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP2_MULTI_INSERT:
      return cleared_by_flag<multi_insert_header>(record, sizeof(multi_insert_header),
                                                  XLH_INSERT_ALL_VISIBLE_CLEARED,
                                                  VISIBILITYMAP_VALID_BITS);
    case XLOG_HEAP2_LOCK_UPDATED:
      return cleared_by_flag<xl_heap_lock_updated>(
          record, SizeOfHeapLockUpdated, XLH_LOCK_ALL_FROZEN_CLEARED, VISIBILITYMAP_ALL_FROZEN);
    default:
      return cleared_visibility{};
  }
}

}  // namespace

visibility_position visibility_position_of(block_number heap_block) {
  const uint32_t in_page = heap_block % heap_blocks_per_page;
  return {heap_block / heap_blocks_per_page, page_header_bytes + in_page / heap_blocks_per_byte,
          static_cast<uint8_t>(in_page % heap_blocks_per_byte * BITS_PER_HEAPBLOCK)};
}

result<cleared_visibility> visibility_cleared_by(const pg::record& record) {
  return record.rmgr == pg::resource_manager::heap2 ? cleared_by_heap2(record)
                                                    : cleared_by_heap(record);
}

namespace {

/// Of a map whose size could not be read: what extends it tells by its size before which pages it
/// makes, and a page that was not there is cleared as one of zeros.
result<void> put_unread_map(const cleared_visibility& cleared, const error& why,
                            change_sink& sink) {
  for (uint8_t i = 0; i < cleared.count; ++i) {
    const auto map_block = visibility_position_of(cleared.entries[i].heap_block).map_block;
    if (i == 1 && map_block == visibility_position_of(cleared.entries[0].heap_block).map_block)
      continue;
    ZENITH_TRY_ASSIGN(const bool may_extend,
                      sink.extend_unread(cleared.relation, fork_number::vm, map_block + 1, why));
    if (may_extend)
      sink.put_record(key::all_blocks(cleared.relation, fork_number::vm),
                      record_effect::initialises);
    sink.put_record(key::block(cleared.relation, fork_number::vm, map_block),
                    record_effect::changes);
  }
  return {};
}

}  // namespace

result<void> ingest_cleared_visibility(const pg::record& record, change_sink& sink) {
  ZENITH_TRY_ASSIGN(const auto cleared, visibility_cleared_by(record));
  if (cleared.count == 0) return {};
  auto known = sink.current_relation(cleared.relation, fork_number::vm);
  if (!known) return put_unread_map(cleared, known.error(), sink);
  std::optional<relation_state> state = std::move(*known);
  const bool absent = !state.has_value();
  // Created before the record's end, since versions up to the creation do not count.
  if (absent) state = relation_state::created(record.start);
  const block_number old_size = state->blocks();
  for (uint8_t i = 0; i < cleared.count; ++i) {
    const auto map_block = visibility_position_of(cleared.entries[i].heap_block).map_block;
    if (i == 1 && map_block == visibility_position_of(cleared.entries[0].heap_block).map_block)
      continue;
    // vm_extend fills the file with initialised pages up to the one that is wanted.
    if (state->blocks() < map_block)
      sink.put_record(key::all_blocks(cleared.relation, fork_number::vm),
                      record_effect::initialises);
    sink.put_record(key::block(cleared.relation, fork_number::vm, map_block),
                    map_block < old_size ? record_effect::changes : record_effect::initialises);
    state->extend(map_block + 1);
  }
  if (absent || state->blocks() != old_size)
    sink.put_relation(cleared.relation, fork_number::vm, std::move(state));
  return {};
}

result<void> apply_cleared_visibility(const pg::record& record, const key& k, page& p) {
  ZENITH_TRY_ASSIGN(const auto cleared, visibility_cleared_by(record));
  if (cleared.count == 0 || cleared.relation != k.relation())
    return fail(errc::corrupt, "the record does not change this page");
  // vm_readbuf: a page that was never written becomes an empty map page.
  if (pg::page_is_new(p)) pg::page_init(p, 0);
  for (uint8_t i = 0; i < cleared.count; ++i) {
    const auto at = visibility_position_of(cleared.entries[i].heap_block);
    if (at.map_block == k.d)
      p.data[at.byte] &= static_cast<std::byte>(~(cleared.entries[i].bits << at.shift));
  }
  return {};
}

result<void> set_visibility(const pg::record& record, const key& k, page& p) {
  ZENITH_TRY_ASSIGN(const auto visible, read_main<xl_heap_visible>(record, SizeOfHeapVisible));
  const auto* heap = record.block(1);
  if (heap == nullptr) return fail(errc::corrupt, "the record does not name its heap page");
  const auto at = visibility_position_of(heap->block);
  if (at.map_block != k.d)
    return fail(errc::corrupt, fmt::format("the bits of heap block {} are in map block {}, not in "
                                           "{}",
                                           heap->block, at.map_block, k.d));
  if (pg::page_is_new(p)) pg::page_init(p, 0);
  const auto wanted = static_cast<uint8_t>(visible.flags & VISIBILITYMAP_VALID_BITS);
  const auto present =
      std::to_integer<uint8_t>(p.data[at.byte] >> at.shift) & VISIBILITYMAP_VALID_BITS;
  // visibilitymap_set: a page that already says so is left alone, its LSN included.
  if (wanted == present) return {};
  p.data[at.byte] |= static_cast<std::byte>(wanted << at.shift);
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
