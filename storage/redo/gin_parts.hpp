// What the parts of gin redo share: the special space, and the posting lists of a data leaf.
//
// Every function checks what it reads: errors are `corrupt`.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::redo::gin {

/// The special space of a gin page (ginblock.h, GinPageOpaqueData), 8 bytes, in place.
struct page_links {
  uint32_t right;       ///< next page, 0xFFFFFFFF for none
  uint16_t max_offset;  ///< posting items of an inner data page, rows of a pending-list page
  uint16_t flags;       ///< GIN_*
};
static_assert(sizeof(page_links) == 8);

/// Where the special space of an initialised gin page is. pd_lower is not looked at: data pages
/// of very old indexes have none (ginblock.h, GinDataPageSetDataSize).
result<page_links*> links_of(page& p);

/// Where the posting lists or posting items of a data page begin: behind its right bound.
inline constexpr size_t data_start = 32;
/// What a data page can hold of them (GinDataPageMaxDataSize).
inline constexpr size_t max_data_size_bytes = page_size_bytes - data_start - sizeof(page_links);
/// GinDataPageSetDataSize. size_bytes: max_data_size_bytes at most.
void set_data_size(page& p, size_t size_bytes);

/// ginRedoRecompress: the changes that a record makes to the posting lists of a data leaf.
/// `changes`: a ginxlogRecompressDataLeaf with its actions.
result<void> recompress(byte_view changes, page& p);

}  // namespace zenith::redo::gin
