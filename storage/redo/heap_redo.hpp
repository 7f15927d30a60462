// What the files of heap redo share among themselves.
#pragma once

#include "storage/postgres/record.hpp"
#include "storage/redo/heap_tuple.hpp"

namespace zenith::redo {

/// The fixed part of a multi-insert (xl_heap_multi_insert without its array of offset numbers).
struct multi_insert_header {
  uint8_t flags = 0;
  uint16_t tuple_count = 0;
};

/// Heap/UPDATE and Heap/HOT_UPDATE for one of their pages; does not set its LSN.
result<void> apply_update(const pg::record& record, const pg::block_reference& reference, page& p);

/// A new tuple's header from the part of it that records keep (heapam_xlog.h, xl_heap_header);
/// `logged` has at least its size. All else is zero.
tuple_header new_header(byte_view logged);

}  // namespace zenith::redo
