// Making and changing the pages of free space maps.
#include "storage/postgres/free_space_map.hpp"

#include <algorithm>

#include "storage/base/assert.hpp"
#include "storage/postgres/page_items.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/htup_details.h>
#include <storage/bufpage.h>
#include <storage/fsm_internals.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

constexpr size_t node_count = NodesPerPage;
constexpr size_t inner_node_count = NonLeafNodesPerPage;
constexpr size_t nodes_at = MAXALIGN(SizeOfPageHeaderData) + offsetof(FSMPageData, fp_nodes);
static_assert(fsm_slots_per_page == SlotsPerFSMPage && nodes_at + node_count == page_size_bytes);

constexpr int tree_depth = 3;  // freespace.c, FSM_TREE_DEPTH for 8 kB pages
// A page of the middle level, and the leaves below it, which follow it in the fork.
constexpr block_number blocks_per_branch = 1 + fsm_slots_per_page;

constexpr size_t category_step_bytes = page_size_bytes / 256;  // FSM_CAT_STEP
constexpr size_t greatest_request_bytes = MaxHeapTupleSize;    // MaxFSMRequestSize
constexpr size_t max_tuples_per_page = MaxHeapTuplesPerPage;
constexpr uint16_t has_free_lines = PD_HAS_FREE_LINES;

/// No further tuple fits, whatever space there is: all line pointers that a heap page may have are
/// in use. PageAddItem believes the flag where it is not set.
bool has_no_line_pointer_left(const page& p) {
  const offset_number count = max_offset(p);
  if (count < max_tuples_per_page) return false;
  if ((page_flags(p) & has_free_lines) == 0) return true;
  for (offset_number number = 1; number <= count; ++number)
    if (const auto found = line_pointer_at(p, number); found && found->flags == LP_UNUSED)
      return false;
  return true;
}

/// fsm_rebuild_page.
void rebuild(uint8_t* nodes) {
  for (size_t node = inner_node_count; node-- > 0;) {
    const size_t left = 2 * node + 1;
    uint8_t greatest = 0;
    if (left < node_count) greatest = nodes[left];
    if (left + 1 < node_count) greatest = std::max(greatest, nodes[left + 1]);
    nodes[node] = greatest;
  }
}

}  // namespace

uint8_t free_space_category(const page& heap_page) {
  if (page_is_new(heap_page)) return 255;
  if (!check_page_header(heap_page)) return 0;
  const size_t gap_bytes = page_upper(heap_page) - page_lower(heap_page);
  // PageGetFreeSpace: a tuple takes a line pointer as well.
  if (gap_bytes <= sizeof(ItemIdData) || has_no_line_pointer_left(heap_page)) return 0;
  const size_t free_bytes = gap_bytes - sizeof(ItemIdData);
  if (free_bytes >= greatest_request_bytes) return 255;
  return static_cast<uint8_t>(std::min<size_t>(free_bytes / category_step_bytes, 254));
}

block_number fsm_leaf_block(uint32_t leaf) {
  block_number pages = 0;
  for (int level = 0; level < tree_depth; ++level) {
    pages += leaf + 1;
    leaf /= fsm_slots_per_page;
  }
  return pages - 1;
}

block_number fsm_block_count(block_number heap_blocks) {
  return heap_blocks == 0 ? 0 : fsm_leaf_block((heap_blocks - 1) / fsm_slots_per_page) + 1;
}

void make_fsm_page(std::span<const uint8_t> categories, block_number block, page& into) {
  // Which heap block the page's first slot begins with, and how many each slot stands for.
  uint64_t first = 0;
  uint64_t blocks_per_slot = uint64_t{fsm_slots_per_page} * fsm_slots_per_page;
  if (block > 0) {
    const block_number branch = (block - 1) / blocks_per_branch;
    const block_number in_branch = (block - 1) % blocks_per_branch;
    first = branch * blocks_per_slot;
    blocks_per_slot = in_branch == 0 ? fsm_slots_per_page : 1;
    if (in_branch > 0) first += uint64_t{in_branch - 1} * fsm_slots_per_page;
  }
  page_init(into, 0);
  auto* const nodes = reinterpret_cast<uint8_t*>(into.begin() + nodes_at);
  uint8_t* const slots = nodes + inner_node_count;
  for (uint32_t slot = 0; slot < fsm_slots_per_page && first < categories.size(); ++slot) {
    const uint64_t count = std::min(blocks_per_slot, categories.size() - first);
    slots[slot] = *std::ranges::max_element(categories.subspan(first, count));
    first += count;
  }
  rebuild(nodes);
}

void clear_fsm_slots(page& p, uint32_t first_slot) {
  ZENITH_ASSERT(first_slot < fsm_slots_per_page);
  if (page_is_new(p)) page_init(p, 0);  // fsm_readbuf
  auto* const nodes = reinterpret_cast<uint8_t*>(p.begin() + nodes_at);
  std::fill(nodes + inner_node_count + first_slot, nodes + node_count, uint8_t{0});
  rebuild(nodes);
}

}  // namespace zenith::pg
