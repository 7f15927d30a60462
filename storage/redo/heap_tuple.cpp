// What redo does to the header of a heap tuple, and to the header of a heap page.
#include "storage/redo/heap_tuple.hpp"

#include <fmt/format.h>

#include <cstddef>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/htup_details.h>
#include <access/transam.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {

static_assert(SizeofHeapTupleHeader == tuple_header_size_bytes);
static_assert(offsetof(tuple_header, hoff) == offsetof(HeapTupleHeaderData, t_hoff));
static_assert(offsetof(tuple_header, infomask) == offsetof(HeapTupleHeaderData, t_infomask));
static_assert(offsetof(tuple_header, infomask2) == offsetof(HeapTupleHeaderData, t_infomask2));
static_assert(offsetof(tuple_header, ctid_block_high) == offsetof(HeapTupleHeaderData, t_ctid));
static_assert(tuple_builder::capacity_bytes == MaxHeapTupleSize);

namespace {

/// TransactionIdPrecedes (transam.c): normal ids are compared modulo 2^32.
bool xid_precedes(uint32_t a, uint32_t b) {
  if (a < FirstNormalTransactionId || b < FirstNormalTransactionId) return a < b;
  return static_cast<int32_t>(a - b) < 0;
}

uint16_t with(uint16_t mask, unsigned bits) { return static_cast<uint16_t>(mask | bits); }
uint16_t without(uint16_t mask, unsigned bits) { return static_cast<uint16_t>(mask & ~bits); }

}  // namespace

void tuple_header::set_ctid(block_number block, uint16_t offset) {
  ctid_block_high = static_cast<uint16_t>(block >> 16);
  ctid_block_low = static_cast<uint16_t>(block & 0xFFFF);
  ctid_offset = offset;
}

void tuple_header::set_first_command() {
  cid_or_xvac = FirstCommandId;
  infomask = without(infomask, HEAP_COMBOCID);
}

void tuple_header::set_hot_updated(bool value) {
  infomask2 = value ? with(infomask2, HEAP_HOT_UPDATED) : without(infomask2, HEAP_HOT_UPDATED);
}

void tuple_header::clear_xmax_bits() {
  infomask = without(infomask, HEAP_XMAX_BITS | HEAP_MOVED);
  infomask2 = without(infomask2, HEAP_KEYS_UPDATED);
}

void tuple_header::set_infobits(uint8_t infobits) {
  infomask = without(infomask, HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY | HEAP_XMAX_KEYSHR_LOCK |
                                   HEAP_XMAX_EXCL_LOCK);
  infomask2 = without(infomask2, HEAP_KEYS_UPDATED);
  if (infobits & XLHL_XMAX_IS_MULTI) infomask = with(infomask, HEAP_XMAX_IS_MULTI);
  if (infobits & XLHL_XMAX_LOCK_ONLY) infomask = with(infomask, HEAP_XMAX_LOCK_ONLY);
  if (infobits & XLHL_XMAX_EXCL_LOCK) infomask = with(infomask, HEAP_XMAX_EXCL_LOCK);
  if (infobits & XLHL_XMAX_KEYSHR_LOCK) infomask = with(infomask, HEAP_XMAX_KEYSHR_LOCK);
  if (infobits & XLHL_KEYS_UPDATED) infomask2 = with(infomask2, HEAP_KEYS_UPDATED);
}

tuple_header load_header(byte_view tuple) {
  tuple_header header;
  std::memcpy(static_cast<void*>(&header), tuple.data(), tuple_header_size_bytes);
  return header;
}

void store_header(byte_span tuple, const tuple_header& header) {
  std::memcpy(tuple.data(), &header, tuple_header_size_bytes);
}

result<byte_span> tuple_at(page& p, uint16_t offset) {
  ZENITH_TRY_ASSIGN(const auto pointer, pg::line_pointer_at(p, offset));
  if (pointer.flags != LP_NORMAL)
    return fail(errc::corrupt,
                fmt::format("the record changes the tuple of line pointer {}, which has none "
                            "(flags {})",
                            offset, pointer.flags));
  ZENITH_TRY_ASSIGN(const auto tuple, pg::item_at(p, offset));
  if (tuple.size() < tuple_header_size_bytes)
    return fail(errc::corrupt, fmt::format("the tuple of line pointer {} has {} bytes, fewer than "
                                           "a tuple's header",
                                           offset, tuple.size()));
  return tuple;
}

void set_prunable(page& p, uint32_t xid) {
  std::byte* const field = p.begin() + offsetof(PageHeaderData, pd_prune_xid);
  const auto oldest = load<uint32_t>(field);
  if (oldest == InvalidTransactionId || xid_precedes(xid, oldest)) store(field, xid);
}

void clear_all_visible(page& p) {
  pg::set_page_flags(p, without(pg::page_flags(p), PD_ALL_VISIBLE));
}

void set_all_visible(page& p) { pg::set_page_flags(p, with(pg::page_flags(p), PD_ALL_VISIBLE)); }

result<void> add_tuple(page& p, byte_view tuple, uint16_t offset) {
  // An offset number of 0 would mean the first free line pointer, which no record asks for.
  if (offset == 0 || offset > pg::max_offset(p) + 1)
    return fail(errc::corrupt, fmt::format("the record puts a tuple at line pointer {} of a page "
                                           "that has {}",
                                           offset, pg::max_offset(p)));
  ZENITH_TRY(pg::page_add_item(p, tuple, offset, pg::add_item_mode::overwrite, true));
  return {};
}

}  // namespace zenith::redo
