// Heap tuples as redo reads and writes them: in a page, in a record, and while being built.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/page_items.hpp"

namespace zenith::redo {

/// The fixed part of a tuple (htup_details.h, HeapTupleHeaderData): its first 23 bytes. Loaded and
/// stored as a value, since a tuple in a damaged page may lie at any alignment.
///    0  u32  t_xmin
///    4  u32  t_xmax
///    8  u32  t_cid or t_xvac
///   12  u16  t_ctid: block, high half
///   14  u16  t_ctid: block, low half
///   16  u16  t_ctid: offset number
///   18  u16  t_infomask2
///   20  u16  t_infomask
///   22  u8   t_hoff
struct tuple_header {
  uint32_t xmin = 0;
  uint32_t xmax = 0;
  uint32_t cid_or_xvac = 0;
  uint16_t ctid_block_high = 0;
  uint16_t ctid_block_low = 0;
  uint16_t ctid_offset = 0;
  uint16_t infomask2 = 0;
  uint16_t infomask = 0;
  uint8_t hoff = 0;

  void set_ctid(block_number block, uint16_t offset);
  /// HeapTupleHeaderSetCmax and SetCmin, with FirstCommandId and no combo.
  void set_first_command();
  void set_hot_updated(bool value);
  /// Takes back what says who deleted, updated or locked the tuple, all but t_xmax itself: what
  /// each redo routine does before it puts a record's own bits there.
  void clear_xmax_bits();
  /// fix_infomask_from_infobits (heapam.c).
  void set_infobits(uint8_t infobits);
};
inline constexpr size_t tuple_header_size_bytes = 23;

/// A tuple of at least a header's size; the caller has checked that (tuple_at does).
tuple_header load_header(byte_view tuple);
void store_header(byte_span tuple, const tuple_header& header);

/// The tuple of a normal line pointer. Error: corrupt where there is none, or not a whole header.
result<byte_span> tuple_at(page& p, uint16_t offset);

/// PageSetPrunable: the oldest transaction id whose end may make the page worth pruning.
void set_prunable(page& p, uint32_t xid);
void clear_all_visible(page& p);
void set_all_visible(page& p);

/// A new tuple under construction: a header, then what is appended. Lives on the stack.
class tuple_builder {
 public:
  /// MaxHeapTupleSize (htup_details.h).
  static constexpr size_t capacity_bytes = 8160;

  /// Error: corrupt where the tuple would not fit a page.
  result<void> append(byte_view data) {
    if (data.size() > capacity_bytes - size_)
      return fail(errc::corrupt, "the record's tuple is larger than a page can hold");
    if (!data.empty()) std::memcpy(buffer_ + size_, data.data(), data.size());
    size_ += data.size();
    return {};
  }
  /// The whole tuple, with this header.
  byte_view finish(const tuple_header& header) {
    store_header(byte_span(buffer_, size_), header);
    return {buffer_, size_};
  }

 private:
  alignas(8) std::byte buffer_[capacity_bytes];  // Left as it is until it is appended to.
  size_t size_ = tuple_header_size_bytes;
};

/// Puts a new tuple at this offset number, as all of heap redo does. Error: corrupt.
result<void> add_tuple(page& p, byte_view tuple, uint16_t offset);

}  // namespace zenith::redo
