// What PostgreSQL does to the items of a page (bufpage.c), with every offset checked.
//
// A page may come from damaged bytes and a record from a hostile peer: nothing here reads or
// writes outside the page, and what does not fit is an error, where PostgreSQL would panic.
#pragma once

#include <cstdint>
#include <span>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::pg {

using offset_number = uint16_t;  ///< 1-based, as OffsetNumber; 0 is invalid

// Header fields (bufpage.h, PageHeaderData).
lsn page_lsn(const page& p);
void set_page_lsn(page& p, lsn at);
/// pd_upper is 0: a page that was never initialised.
bool page_is_new(const page& p);
uint16_t page_lower(const page& p);
uint16_t page_upper(const page& p);
uint16_t page_special(const page& p);
uint16_t page_flags(const page& p);
void set_page_flags(page& p, uint16_t flags);

/// The header's offsets are in order and inside the page. Error: corrupt.
result<void> check_page_header(const page& p);

/// PageInit: zeros, then a header with a special space of this many bytes (MAXALIGNed).
void page_init(page& p, uint16_t special_size_bytes);

/// PageGetMaxOffsetNumber; 0 for a page with no line pointers.
offset_number max_offset(const page& p);
/// The raw line pointer (ItemIdData): offset in bits 0-14, flags in 15-16, length in 17-31.
struct line_pointer {
  uint16_t offset = 0;
  uint8_t flags = 0;  ///< LP_UNUSED 0, LP_NORMAL 1, LP_REDIRECT 2, LP_DEAD 3
  uint16_t length = 0;
};
/// Error: corrupt where the offset number is not on the page.
result<line_pointer> line_pointer_at(const page& p, offset_number number);
result<void> set_line_pointer(page& p, offset_number number, line_pointer value);
/// The bytes of a normal (or dead, with storage) item, checked against the page's bounds.
result<byte_span> item_at(page& p, offset_number number);
result<byte_view> item_at(const page& p, offset_number number);
/// The special space.
result<byte_span> special_space(page& p);

enum class add_item_mode { insert, overwrite };
/// PageAddItemExtended. number 0: the first free one. heap: PAI_IS_HEAP. Gives the offset number.
result<offset_number> page_add_item(page& p, byte_view item, offset_number number,
                                    add_item_mode mode, bool heap);
/// PageRepairFragmentation: heap pages only.
result<void> page_repair_fragmentation(page& p);
/// PageTruncateLinePointerArray.
result<void> page_truncate_line_pointers(page& p);
/// PageIndexTupleDelete.
result<void> page_index_tuple_delete(page& p, offset_number number);
/// PageIndexMultiDelete: numbers in increasing order.
result<void> page_index_multi_delete(page& p, std::span<const offset_number> numbers);
/// PageIndexTupleDeleteNoCompact.
result<void> page_index_tuple_delete_no_compact(page& p, offset_number number);
/// PageIndexTupleOverwrite.
result<void> page_index_tuple_overwrite(page& p, offset_number number, byte_view item);

/// pg_checksum_page: the checksum that a page at this block should carry. p is left as it was.
uint16_t page_checksum(const page& p, uint32_t block);
/// PageSetChecksumInplace for a cluster with checksums: a new page (pd_upper 0) stays as it is.
void set_page_checksum(page& p, uint32_t block);

}  // namespace zenith::pg
