// What the files of hash redo share: a page's special space, and the records redone elsewhere.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::redo::hash_index {

/// The special space of a hash page (hash.h, HashPageOpaqueData), 16 bytes, in place.
struct page_links {
  uint32_t previous;  ///< of an overflow page; of a bucket page, the greatest bucket of its time
  uint32_t next;
  uint32_t bucket;
  uint16_t flags;  ///< LH_*
  uint16_t page_id;
};
static_assert(sizeof(page_links) == 16);

/// Where the special space of an initialised hash page is. Error: corrupt.
result<page_links*> links_of(page& p);
/// _hash_pageinit, then these links; the page's id is put by this function.
void init_page(page& p, uint32_t previous, uint32_t bucket, uint16_t flags);

/// The metapage under each record that refers to it.
result<void> apply_to_metapage(const pg::record& record, const pg::block_reference& reference,
                               page& p);

/// _hash_initbitmapbuffer: a bitmap page with its first bytes' bits set. Error: corrupt.
result<void> init_bitmap(page& p, uint16_t size_bytes);
/// Sets or clears the bit that the record's data for this bitmap page names. Error: corrupt.
enum class bit_value { clear, set };
result<void> change_bitmap(const pg::block_reference& reference, bit_value value, page& p);

}  // namespace zenith::redo::hash_index
