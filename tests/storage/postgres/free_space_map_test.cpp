// Free space maps: which category a heap page has, and how a map's pages add up.
#include "storage/postgres/free_space_map.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "storage/postgres/page_items.hpp"

namespace zenith::pg {
namespace {

constexpr size_t nodes_at = 28;
constexpr size_t slots_at = nodes_at + 4095;

uint8_t slot(const page& p, uint32_t number) {
  return static_cast<uint8_t>(p.data[slots_at + number]);
}
uint8_t root(const page& p) { return static_cast<uint8_t>(p.data[nodes_at]); }

page page_with_gap(uint16_t gap_bytes, uint16_t lower = 24) {
  page p;
  page_init(p, 0);
  store(p.begin() + 12, lower);
  store(p.begin() + 14, static_cast<uint16_t>(lower + gap_bytes));
  return p;
}

TEST(free_space_map, a_category_is_the_room_for_a_tuple_and_its_line_pointer_in_steps_of_32_bytes) {
  EXPECT_EQ(free_space_category(page_with_gap(0)), 0);
  EXPECT_EQ(free_space_category(page_with_gap(3)), 0);
  EXPECT_EQ(free_space_category(page_with_gap(4 + 31)), 0);
  EXPECT_EQ(free_space_category(page_with_gap(4 + 32)), 1);
  EXPECT_EQ(free_space_category(page_with_gap(4 + 5000)), 156);
  // 255 is kept for pages that take the greatest tuple, of 8160 bytes.
  EXPECT_EQ(free_space_category(page_with_gap(4 + 8159)), 254);
  EXPECT_EQ(free_space_category(page_with_gap(4 + 8160)), 255);
}

TEST(free_space_map, a_page_that_was_never_initialised_is_free_and_a_damaged_one_is_not) {
  EXPECT_EQ(free_space_category(page{}), 255);
  page damaged = page_with_gap(5000);
  store(damaged.begin() + 12, uint16_t{60000});
  EXPECT_EQ(free_space_category(damaged), 0);
  store(damaged.begin() + 14, uint16_t{65000});
  EXPECT_EQ(free_space_category(damaged), 0);
}

TEST(free_space_map, a_page_with_all_line_pointers_in_use_has_no_free_space) {
  constexpr uint16_t all = 24 + 291 * 4;
  page p = page_with_gap(1000, all);
  for (offset_number number = 1; number <= 291; ++number)
    ASSERT_TRUE(set_line_pointer(p, number, {8184, 1, 8}));
  EXPECT_EQ(free_space_category(p), 0);
  ASSERT_TRUE(set_line_pointer(p, 100, {0, 0, 0}));
  EXPECT_EQ(free_space_category(p), 0) << "the page does not say that one is free";
  set_page_flags(p, 1);
  EXPECT_EQ(free_space_category(p), 31);
  ASSERT_TRUE(set_line_pointer(p, 100, {8184, 1, 8}));
  EXPECT_EQ(free_space_category(p), 0) << "the page is wrong";
  EXPECT_EQ(free_space_category(page_with_gap(1000, all - 4)), 31);
}

TEST(free_space_map, a_small_heap_s_map_is_a_page_of_each_level) {
  EXPECT_EQ(fsm_block_count(0), 0u);
  EXPECT_EQ(fsm_block_count(1), 3u);
  EXPECT_EQ(fsm_block_count(fsm_slots_per_page), 3u);
  const std::vector<uint8_t> categories{7, 0, 201};
  page p;
  for (const block_number upper : {0u, 1u}) {
    make_fsm_page(categories, upper, p);
    EXPECT_EQ(root(p), 201);
    EXPECT_EQ(slot(p, 0), 201);
    EXPECT_EQ(slot(p, 1), 0);
  }
  make_fsm_page(categories, 2, p);
  EXPECT_EQ(root(p), 201);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(slot(p, i), categories[i]);
  EXPECT_EQ(slot(p, 3), 0);
  EXPECT_EQ(load<uint32_t>(p.begin() + 24), 0u);  // fp_next_slot
  EXPECT_EQ(page_lsn(p), lsn{});
}

TEST(free_space_map, levels_lie_depth_first_and_each_slot_is_the_root_of_the_page_below) {
  constexpr uint32_t n = fsm_slots_per_page;
  EXPECT_EQ(fsm_block_count(n + 1), 4u);
  // The first heap block of the second page of the middle level.
  std::vector<uint8_t> categories(size_t{n} * n + 1, 1);
  EXPECT_EQ(fsm_leaf_block(n), 1 + (1 + n) + 1);
  EXPECT_EQ(fsm_block_count(static_cast<block_number>(categories.size())), 1 + (1 + n) + 2);
  categories[size_t{n} * 5 + 8] = 90;
  categories.back() = 33;
  page p;
  make_fsm_page(categories, 0, p);
  EXPECT_EQ(slot(p, 0), 90);
  EXPECT_EQ(slot(p, 1), 33);
  EXPECT_EQ(slot(p, 2), 0);
  make_fsm_page(categories, 1, p);
  EXPECT_EQ(root(p), 90);
  EXPECT_EQ(slot(p, 5), 90);
  EXPECT_EQ(slot(p, n - 1), 1);
  make_fsm_page(categories, fsm_leaf_block(5), p);
  EXPECT_EQ(root(p), 90);
  EXPECT_EQ(slot(p, 8), 90);
  EXPECT_EQ(slot(p, n - 1), 1);
  make_fsm_page(categories, 1 + (1 + n), p);
  EXPECT_EQ(slot(p, 0), 33);
  EXPECT_EQ(slot(p, 1), 0);
  make_fsm_page(categories, fsm_leaf_block(n), p);
  EXPECT_EQ(slot(p, 0), 33);
  EXPECT_EQ(root(p), 33);
}

TEST(free_space_map, clearing_a_tail_keeps_what_lies_before_it) {
  page p;
  make_fsm_page(std::vector<uint8_t>{10, 20, 30}, 2, p);
  clear_fsm_slots(p, 1);
  EXPECT_EQ(slot(p, 0), 10);
  EXPECT_EQ(slot(p, 1), 0);
  EXPECT_EQ(root(p), 10);
  page fresh;
  clear_fsm_slots(fresh, 5);
  page initialised;
  page_init(initialised, 0);
  EXPECT_EQ(fresh.data, initialised.data);
}

}  // namespace
}  // namespace zenith::pg
