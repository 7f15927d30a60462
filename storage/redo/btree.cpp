// Redo of btree records (nbtxlog.c): which page of a record changes how.
#include <fmt/format.h>

#include <cstring>

#include "storage/redo/btree_parts.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/nbtree.h>
#include <access/nbtxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace btree {
namespace {

/// _bt_restore_page: tuples as they lay in the upper part of a page, the last item's first, go
/// onto an empty page.
result<void> restore_items(byte_view data, page& p) {
  std::array<uint16_t, page_size_bytes / index_tuple_header_size> sizes;
  size_t count = 0;
  for (record_reader reader(data); !reader.rest().empty(); ++count) {
    ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
    const auto size = maxalign(tuple.size());
    ZENITH_TRY(reader.take(size));
    if (count == sizes.size()) return fail(errc::corrupt, "more tuples than fit a page");
    sizes[count] = static_cast<uint16_t>(size);
  }
  size_t end = data.size();
  for (pg::offset_number number = 1; count > 0; ++number) {
    const size_t size = sizes[--count];
    end -= size;
    ZENITH_TRY(
        pg::page_add_item(p, data.subspan(end, size), number, pg::add_item_mode::insert, false));
  }
  return {};
}

// _bt_restore_meta.
result<void> restore_meta(const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto from,
                    read_front<xl_btree_metadata>(reference.data, "a metapage's data"));
  BTMetaPageData meta{};
  meta.btm_magic = BTREE_MAGIC;
  meta.btm_version = from.version;
  meta.btm_root = from.root;
  meta.btm_level = from.level;
  meta.btm_fastroot = from.fastroot;
  meta.btm_fastlevel = from.fastlevel;
  meta.btm_last_cleanup_num_delpages = from.last_cleanup_num_delpages;
  meta.btm_last_cleanup_num_heap_tuples = -1.0;
  // Read as a byte: from a hostile record it may be no valid bool.
  meta.btm_allequalimage =
      reference.data[offsetof(xl_btree_metadata, allequalimage)] != std::byte{0};
  init_page(p, {.previous = P_NONE, .next = P_NONE, .level = 0, .flags = BTP_META, .cycle_id = 0});
  auto* header = reinterpret_cast<PageHeader>(p.begin());
  store(p.begin() + MAXALIGN(SizeOfPageHeaderData), meta);
  header->pd_lower = MAXALIGN(SizeOfPageHeaderData) + sizeof(BTMetaPageData);
  return {};
}

// _bt_clear_incomplete_split.
result<void> clear_incomplete_split(page& p) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->flags &= static_cast<uint16_t>(~BTP_INCOMPLETE_SPLIT);
  return {};
}

result<void> set_previous(page& p, block_number previous) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->previous = previous;
  return {};
}

result<void> set_next(page& p, block_number next) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->next = next;
  return {};
}

/// A leaf that waits for its deletion: empty, but for a high key that points to the topmost page
/// of the subtree that goes with it.
result<void> init_half_dead(page& p, block_number previous, block_number next,
                            block_number top_parent) {
  init_page(p, {.previous = previous,
                .next = next,
                .level = 0,
                .flags = BTP_HALF_DEAD | BTP_LEAF,
                .cycle_id = 0});
  IndexTupleData high_key{};
  high_key.t_info = sizeof(IndexTupleData);
  BTreeTupleSetTopParent(&high_key, top_parent);
  ZENITH_TRY(pg::page_add_item(p, std::as_bytes(std::span{&high_key, 1}), P_HIKEY,
                               pg::add_item_mode::insert, false));
  return {};
}

// btree_xlog_insert, the page that is inserted into.
result<void> insert(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto insert, read_main<xl_btree_insert>(record, SizeOfBtreeInsert));
  ZENITH_TRY(links_of(p));
  if (record.opcode() != XLOG_BTREE_INSERT_POST) {
    ZENITH_TRY(
        pg::page_add_item(p, reference.data, insert.offnum, pg::add_item_mode::insert, false));
    return {};
  }
  record_reader reader(reference.data);
  ZENITH_TRY_ASSIGN(const auto posting_offset, reader.take<uint16_t>());
  tuple_buffer buffer;
  if (reader.rest().size() > buffer.data.size())
    return fail(errc::corrupt, fmt::format("a new tuple has {} bytes", reader.rest().size()));
  byte_span fresh{buffer.data.data(), reader.rest().size()};
  std::memcpy(fresh.data(), reader.rest().data(), fresh.size());
  ZENITH_TRY_ASSIGN(const auto posting,
                    pg::item_at(p, static_cast<pg::offset_number>(insert.offnum - 1)));
  ZENITH_TRY(swap_posting(fresh, posting, posting_offset));
  ZENITH_TRY(pg::page_add_item(p, fresh, insert.offnum, pg::add_item_mode::insert, false));
  return {};
}

result<void> apply_insert(const pg::record& record, const pg::block_reference& reference, page& p) {
  switch (reference.id) {
    case 0:
      return insert(record, reference, p);
    case 1:
      return clear_incomplete_split(p);
    case 2:
      return restore_meta(reference, p);
    default:
      return fail(errc::corrupt, "an insertion has no such block");
  }
}

// btree_xlog_split, the new page on the right.
result<void> split_right(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto split, read_main<xl_btree_split>(record, SizeOfBtreeSplit));
  const auto* left = record.block(0);
  if (left == nullptr) return fail(errc::corrupt, "a split names no left page");
  const auto* next = record.block(2);
  init_page(p, {.previous = left->block,
                .next = next != nullptr ? next->block : P_NONE,
                .level = split.level,
                .flags = static_cast<uint16_t>(split.level == 0 ? BTP_LEAF : 0),
                .cycle_id = 0});
  return restore_items(reference.data, p);
}

result<void> apply_split(const pg::record& record, const pg::block_reference& reference, page& p) {
  const auto* right = record.block(1);
  switch (reference.id) {
    case 0:
      return split_left(record, reference, p);
    case 1:
      return split_right(record, reference, p);
    case 2:
      if (right == nullptr) return fail(errc::corrupt, "a split names no right page");
      return set_previous(p, right->block);
    case 3:
      return clear_incomplete_split(p);
    default:
      return fail(errc::corrupt, "a split has no such block");
  }
}

// btree_xlog_mark_page_halfdead, the parent: the downlink of the page that goes takes over its
// right sibling's, whose own pivot tuple is deleted.
result<void> unlink_from_parent(pg::offset_number number, page& p) {
  ZENITH_TRY(links_of(p));
  const auto next = static_cast<pg::offset_number>(number + 1);
  ZENITH_TRY_ASSIGN(const auto item, pg::item_at(p, number));
  ZENITH_TRY_ASSIGN(const auto next_item, pg::item_at(p, next));
  if (item.size() < index_tuple_header_size || next_item.size() < index_tuple_header_size)
    return fail(errc::corrupt, fmt::format("item {} or the one behind it is too short", number));
  // The block number comes first in a tuple (ItemPointerData).
  std::memcpy(item.data(), next_item.data(), sizeof(BlockIdData));
  return pg::page_index_tuple_delete(p, next);
}

result<void> apply_half_dead(const pg::record& record, const pg::block_reference& reference,
                             page& p) {
  ZENITH_TRY_ASSIGN(const auto mark,
                    read_main<xl_btree_mark_page_halfdead>(record, SizeOfBtreeMarkPageHalfDead));
  switch (reference.id) {
    case 0:
      return init_half_dead(p, mark.leftblk, mark.rightblk, mark.topparent);
    case 1:
      return unlink_from_parent(mark.poffset, p);
    default:
      return fail(errc::corrupt, "marking a page half-dead has no such block");
  }
}

// btree_xlog_unlink_page, the page that is deleted.
void init_deleted(const xl_btree_unlink_page& unlink, page& p) {
  init_page(p, {.previous = unlink.leftsib,
                .next = unlink.rightsib,
                .level = unlink.level,
                .flags = 0,
                .cycle_id = 0});
  BTPageSetDeleted(reinterpret_cast<Page>(p.begin()), unlink.safexid);
  if (unlink.level == 0) BTPageGetOpaque(reinterpret_cast<Page>(p.begin()))->btpo_flags |= BTP_LEAF;
}

result<void> apply_unlink(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto unlink,
                    read_main<xl_btree_unlink_page>(record, SizeOfBtreeUnlinkPage));
  switch (reference.id) {
    case 0:
      init_deleted(unlink, p);
      return {};
    case 1:
      return set_next(p, unlink.rightsib);
    case 2:
      return set_previous(p, unlink.leftsib);
    case 3:
      return init_half_dead(p, unlink.leafleftsib, unlink.leafrightsib, unlink.leaftopparent);
    case 4:
      return restore_meta(reference, p);
    default:
      return fail(errc::corrupt, "the deletion of a page has no such block");
  }
}

result<void> apply_new_root(const pg::record& record, const pg::block_reference& reference,
                            page& p) {
  ZENITH_TRY_ASSIGN(const auto root, read_main<xl_btree_newroot>(record, SizeOfBtreeNewroot));
  switch (reference.id) {
    case 0:
      init_page(p, {.previous = P_NONE,
                    .next = P_NONE,
                    .level = root.level,
                    .flags = static_cast<uint16_t>(BTP_ROOT | (root.level == 0 ? BTP_LEAF : 0)),
                    .cycle_id = 0});
      return root.level > 0 ? restore_items(reference.data, p) : result<void>{};
    case 1:
      return clear_incomplete_split(p);
    case 2:
      return restore_meta(reference, p);
    default:
      return fail(errc::corrupt, "a new root has no such block");
  }
}

result<void> apply_vacuum(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto vacuum, read_main<xl_btree_vacuum>(record, SizeOfBtreeVacuum));
  return delete_items(reference, vacuum.ndeleted, vacuum.nupdated, p);
}

result<void> apply_delete(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto removal, read_main<xl_btree_delete>(record, SizeOfBtreeDelete));
  return delete_items(reference, removal.ndeleted, removal.nupdated, p);
}

// btree_redo.
result<void> dispatch(const pg::record& record, const pg::block_reference& reference, page& p) {
  switch (record.opcode()) {
    case XLOG_BTREE_INSERT_LEAF:
    case XLOG_BTREE_INSERT_UPPER:
    case XLOG_BTREE_INSERT_META:
    case XLOG_BTREE_INSERT_POST:
      return apply_insert(record, reference, p);
    case XLOG_BTREE_SPLIT_L:
    case XLOG_BTREE_SPLIT_R:
      return apply_split(record, reference, p);
    case XLOG_BTREE_DEDUP:
      return deduplicate(record, reference, p);
    case XLOG_BTREE_VACUUM:
      return apply_vacuum(record, reference, p);
    case XLOG_BTREE_DELETE:
      return apply_delete(record, reference, p);
    case XLOG_BTREE_MARK_PAGE_HALFDEAD:
      return apply_half_dead(record, reference, p);
    case XLOG_BTREE_UNLINK_PAGE:
    case XLOG_BTREE_UNLINK_PAGE_META:
      return apply_unlink(record, reference, p);
    case XLOG_BTREE_NEWROOT:
      return apply_new_root(record, reference, p);
    case XLOG_BTREE_META_CLEANUP:
      return restore_meta(reference, p);
    default:
      return fail(errc::unsupported, fmt::format("unknown opcode {:#04x}", record.opcode()));
  }
}

}  // namespace
}  // namespace btree

result<void> apply_btree(const pg::record& record, const pg::block_reference* reference, const key&,
                         page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not refer to this page");
  ZENITH_TRY(btree::dispatch(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
