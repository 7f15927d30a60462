// memory_block: what is kept of blocks that nobody uses any more.
#include "storage/layers/memory_block.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace zenith::layers {
namespace {

constexpr size_t huge = memory_block::huge_page_bytes;

TEST(memory_block, nothing_is_kept_where_nothing_may_be) {
  memory_block::keep_at_most(0);
  { const memory_block used(huge); }
  EXPECT_EQ(memory_block::kept_bytes(), 0u);
}

TEST(memory_block, no_more_is_kept_than_may_be_and_the_next_blocks_get_it) {
  memory_block::keep_at_most(2 * huge);
  {
    std::vector<memory_block> used;
    for (int i = 0; i < 3; ++i) used.emplace_back(huge);
    const memory_block larger(2 * huge);
    const memory_block small(100);
    EXPECT_EQ(memory_block::kept_bytes(), 0u);
  }
  EXPECT_EQ(memory_block::kept_bytes(), 2 * huge);
  {
    const memory_block again(huge);
    EXPECT_EQ(memory_block::kept_bytes(), huge);
  }
  memory_block::keep_at_most(0);
  EXPECT_EQ(memory_block::kept_bytes(), 0u);
}

}  // namespace
}  // namespace zenith::layers
