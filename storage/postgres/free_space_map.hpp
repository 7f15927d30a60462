// free_space_map: a free space map's pages, and what they say of a heap's pages (freespace.c).
//
// Each page of a map holds a binary tree of bytes, in which an inner node is the greater of its
// children. The leaves of the lowest level's pages are the heap's blocks; those of the two levels
// above are the pages below them. The levels lie in the fork depth first.
#pragma once

#include <cstdint>
#include <span>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"

namespace zenith::pg {

/// SlotsPerFSMPage (fsm_internals.h): heap blocks to a page of the lowest level, and pages to one
/// of the levels above.
inline constexpr uint32_t fsm_slots_per_page = 4069;

/// The byte that VACUUM records for a heap page: its free space in 256 steps, rounded down, 255 for
/// a page with room for any tuple (PageGetHeapFreeSpace, fsm_space_avail_to_cat). A page that was
/// never initialised has it all (vacuumlazy.c, lazy_scan_new_or_empty), a damaged one none.
uint8_t free_space_category(const page& heap_page);

/// The block, in the fork, of a page of the lowest level (fsm_logical_to_physical).
block_number fsm_leaf_block(uint32_t leaf);
/// How long a map is in which every block of a heap is recorded.
block_number fsm_block_count(block_number heap_blocks);

/// Makes the map's page at a block, as FreeSpaceMapVacuum leaves it. `categories`: one byte for
/// each of the heap's blocks, of all of it. The page has neither LSN nor checksum.
void make_fsm_page(std::span<const uint8_t> categories, block_number block, page& into);

/// fsm_truncate_avail: nothing is free in the slots from here on. A new page is initialised first.
void clear_fsm_slots(page& p, uint32_t first_slot);

}  // namespace zenith::pg
