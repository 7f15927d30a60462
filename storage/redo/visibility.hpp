// The visibility map: which of its bits heap records clear without naming its pages, and set.
#pragma once

#include <array>
#include <cstdint>

#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

/// Where a heap block's two bits are (visibilitymap.c, HEAPBLK_TO_MAPBLOCK and its like).
struct visibility_position {
  block_number map_block = 0;
  uint32_t byte = 0;  ///< in the map page, its header included
  uint8_t shift = 0;  ///< of the lower bit, "all visible"; the upper one is "all frozen"
};
visibility_position visibility_position_of(block_number heap_block);

/// Bits that a record clears without referring to the map's pages: of two heap blocks at most.
struct cleared_visibility {
  struct entry {
    block_number heap_block = 0;
    uint8_t bits = 0;  ///< VISIBILITYMAP_* bits
  };
  relation_id relation;
  uint8_t count = 0;
  std::array<entry, 2> entries;
};

/// For a record of Heap or Heap2. Error: corrupt.
result<cleared_visibility> visibility_cleared_by(const pg::record& record);

/// Puts the map pages whose bits the record clears, and lets the map grow to hold them, as
/// visibilitymap_pin does: it is created where it is absent.
result<void> ingest_cleared_visibility(const pg::record& record, change_sink& sink);

/// Clears them in one map page; leaves its LSN alone, as visibilitymap_clear does.
result<void> apply_cleared_visibility(const pg::record& record, const key& k, page& p);

/// Heap2/VISIBLE for the map page (heap_xlog_visible, visibilitymap_set).
result<void> set_visibility(const pg::record& record, const key& k, page& p);

}  // namespace zenith::redo
