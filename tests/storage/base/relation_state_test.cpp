// relation_state: what a truncation hides stays hidden when the fork grows again.
#include "storage/base/relation_state.hpp"

#include <gtest/gtest.h>

namespace zenith {
namespace {

TEST(relation_state, a_block_cut_off_is_hidden_until_the_cut_even_after_regrowth) {
  auto state = relation_state::created(lsn{100});
  state.extend(10);
  state.truncate(4, lsn{200});
  state.extend(8);
  EXPECT_EQ(state.blocks(), 8u);
  EXPECT_EQ(state.hidden_until(3), lsn{100});
  EXPECT_EQ(state.hidden_until(4), lsn{200});
  EXPECT_EQ(state.hidden_until(7), lsn{200});
}

TEST(relation_state, a_deeper_cut_replaces_shallower_ones) {
  auto state = relation_state::of_base(100);
  EXPECT_EQ(state.hidden_until(50), lsn{});
  state.truncate(60, lsn{1});
  state.truncate(80, lsn{2});
  state.truncate(70, lsn{3});
  EXPECT_EQ(state.cuts().size(), 2u);
  EXPECT_EQ(state.hidden_until(59), lsn{});
  EXPECT_EQ(state.hidden_until(60), lsn{1});
  EXPECT_EQ(state.hidden_until(69), lsn{1});
  EXPECT_EQ(state.hidden_until(75), lsn{3});
  EXPECT_EQ(state.blocks(), 60u);
}

TEST(relation_state, survives_being_stored_and_refuses_damage) {
  auto state = relation_state::of_base(9);
  state.truncate(2, lsn{5});
  state.truncate(7, lsn{6});
  const bytes stored = state.encode();
  EXPECT_EQ(*relation_state::decode(stored), state);
  for (size_t size = 0; size < stored.size(); ++size)
    EXPECT_FALSE(relation_state::decode(byte_view{stored}.first(size)).has_value()) << size;
  bytes swapped(stored);
  std::swap_ranges(swapped.begin() + 8, swapped.begin() + 20, swapped.begin() + 20);
  EXPECT_FALSE(relation_state::decode(swapped).has_value());
}

}  // namespace
}  // namespace zenith
