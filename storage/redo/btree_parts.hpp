// What the parts of btree redo share: tuples, posting lists, and the records redone elsewhere.
//
// Tuples are bytes here (IndexTupleData, itup.h), at any alignment. Every function checks what it
// reads: errors are `corrupt`.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/record.hpp"
#include "storage/redo/index_tuple.hpp"

namespace zenith::redo::btree {

/// The special space of a btree page (nbtree.h, BTPageOpaqueData), 16 bytes, in place.
struct page_links {
  uint32_t previous;  ///< left sibling, 0 for none
  uint32_t next;      ///< right sibling, 0 for none
  uint32_t level;     ///< 0 for a leaf
  uint16_t flags;     ///< BTP_*
  uint16_t cycle_id;
};
static_assert(sizeof(page_links) == 16);

/// Where the special space of an initialised btree page is.
result<page_links*> links_of(page& p);
/// _bt_pageinit, then these links.
void init_page(page& p, const page_links& links);

/// The longest tuple that fits t_info's size (INDEX_SIZE_MASK), MAXALIGNed.
inline constexpr size_t max_tuple_size_bytes = 8192;
/// Room for one tuple that is being built. Its bytes are not set at first.
struct alignas(8) tuple_buffer {
  std::array<std::byte, max_tuple_size_bytes> data;
};

inline constexpr size_t tid_size_bytes = 6;  // ItemPointerData

/// A leaf tuple's key and its heap TIDs: one in its header, or a posting list behind the key.
struct leaf_tuple {
  byte_view tuple;
  size_t key_size_bytes = 0;  ///< header and key, without a posting list
  bool is_posting = false;
  size_t tid_count = 1;
  byte_view tids;  ///< tid_count times 6 bytes
};
/// Refuses pivot tuples.
result<leaf_tuple> read_leaf_tuple(byte_view item);

/// _bt_form_posting: base's key with so many TIDs, more than none. Gives the tuple in `into`.
result<byte_view> form_posting(const leaf_tuple& base, byte_view tids, tuple_buffer& into);

/// _bt_swap_posting: puts the new tuple's TID into the posting list at this place, and the list's
/// last one into the new tuple. Both are changed in place; neither changes its size.
result<void> swap_posting(byte_span new_tuple, byte_span posting, uint16_t offset);

/// btree_xlog_split, the page that is split; btree_xlog_dedup; btree_xlog_updates and the
/// deletions that follow them in btree_xlog_vacuum and btree_xlog_delete.
result<void> split_left(const pg::record& record, const pg::block_reference& reference, page& p);
result<void> deduplicate(const pg::record& record, const pg::block_reference& reference, page& p);
result<void> delete_items(const pg::block_reference& reference, uint16_t deleted_count,
                          uint16_t updated_count, page& p);

}  // namespace zenith::redo::btree
