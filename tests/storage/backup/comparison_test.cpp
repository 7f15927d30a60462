// Which bytes of a page count when two are compared.
#include "storage/backup/comparison.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "storage/postgres/page_items.hpp"
#include "storage/postgres/slru.hpp"

namespace zenith::backup {
namespace {

page sequence_page(int64_t last_value, int64_t log_count, bool is_called) {
  page p;
  pg::page_init(p, 8);
  store(p.begin() + page_size_bytes - 8, uint64_t{0x1717});
  bytes tuple(24 + 17);
  tuple[22] = std::byte{24};
  store(&tuple[24], last_value);
  store(&tuple[32], log_count);
  tuple[40] = std::byte{is_called};
  EXPECT_TRUE(pg::page_add_item(p, tuple, 1, pg::add_item_mode::insert, false));
  return p;
}

TEST(comparison, a_sequence_may_be_behind_what_was_logged_ahead_and_no_more) {
  const page logged = sequence_page(33, 0, true);
  EXPECT_FALSE(compare_blocks(logged, logged, 0));
  EXPECT_FALSE(compare_blocks(logged, sequence_page(1, 32, true), 0));
  EXPECT_FALSE(compare_blocks(logged, sequence_page(30, 3, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(34, 0, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(1, 33, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(30, 2, true), 0));  // no whole increment
  EXPECT_TRUE(compare_blocks(logged, sequence_page(33, 5, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(1, 32, false), 0));
  page damaged = logged;
  damaged.data[100] ^= std::byte{1};
  EXPECT_FALSE(compare_blocks(logged, damaged, 0));  // in the hole
  damaged = logged;
  damaged.data[page_size_bytes - 8 - 40] ^= std::byte{1};
  EXPECT_EQ(compare_blocks(logged, damaged, 0), page_size_bytes - 8 - 40);
}

TEST(comparison, a_sequence_that_became_logged_may_be_before_what_was_logged_and_no_more) {
  const page logged = sequence_page(10, 20, true);
  EXPECT_FALSE(compare_blocks(logged, sequence_page(11, 19, true), 0));
  EXPECT_FALSE(compare_blocks(logged, sequence_page(40, 14, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(9, 21, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(11, 18, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(11, 20, true), 0));
  EXPECT_TRUE(compare_blocks(logged, sequence_page(31, -1, true), 0));
  EXPECT_TRUE(compare_blocks(sequence_page(10, INT64_MIN, true), sequence_page(11, 1, true), 0));
}

TEST(comparison, the_pages_with_room_of_an_spgist_index_do_not_count) {
  page logged;
  pg::page_init(logged, 8);
  store(logged.begin() + page_size_bytes - 8, uint16_t{1});  // SPGIST_META
  store(logged.begin() + page_size_bytes - 2, uint16_t{0xFF82});
  store(logged.begin() + 12, uint16_t{92});  // pd_lower, behind magic number and list
  page own = logged;
  store(own.begin() + 28, uint32_t{4});
  store(own.begin() + 88, uint32_t{4});
  EXPECT_FALSE(compare_blocks(logged, own, 0));
  store(own.begin() + 24, uint32_t{4});  // the magic number
  EXPECT_EQ(compare_blocks(logged, own, 0), 24u);
  own = logged;
  store(own.begin() + 28, uint32_t{4});
  for (page* p : {&own, &logged}) store(p->begin() + page_size_bytes - 8, uint16_t{0});
  EXPECT_EQ(compare_blocks(logged, own, 1), 28u);  // in another page it is contents
}

TEST(comparison, an_empty_visibility_map_is_as_good_as_zeros) {
  page map;
  pg::page_init(map, 0);
  pg::set_page_lsn(map, lsn{77});
  EXPECT_TRUE(is_empty_visibility_map(map));
  EXPECT_TRUE(is_empty_visibility_map(page{}));
  EXPECT_FALSE(compare_visibility_maps(page{}, map));
  map.data[8191] = std::byte{3};
  EXPECT_FALSE(is_empty_visibility_map(map));
  EXPECT_EQ(compare_visibility_maps(page{}, map), 8191u);
}

TEST(comparison, a_map_that_was_logged_without_its_bits_may_have_them_in_a_servers_file) {
  page logged;
  pg::page_init(logged, 0);
  pg::set_page_lsn(logged, lsn{77});
  page own = logged;
  own.data[30] = std::byte{3};
  logged.data[31] = own.data[31] = std::byte{1};
  EXPECT_EQ(compare_visibility_maps(logged, own), 30u);
  constexpr auto without_bits = map_logging::without_bits;
  EXPECT_FALSE(compare_visibility_maps(logged, own, without_bits));
  EXPECT_EQ(compare_visibility_maps(own, logged, without_bits), 30u);
  own.data[12] = std::byte{1};  // the header's pd_lower
  EXPECT_EQ(compare_visibility_maps(logged, own, without_bits), 12u);
}

TEST(comparison, a_free_space_map_is_known_by_its_header_alone) {
  page map;
  EXPECT_TRUE(is_free_space_map(map));
  pg::page_init(map, 0);
  map.data[500] = std::byte{9};
  EXPECT_TRUE(is_free_space_map(map));
  map.data[18] = std::byte{1};  // page size and version
  EXPECT_FALSE(is_free_space_map(map));
}

struct entry_case {
  slru_kind slru;
  uint32_t page;
  uint32_t count;       // entries in use on the page
  uint32_t last_used;   // a byte that belongs to the last of them
  uint32_t first_free;  // a byte of the next one, or of nothing
};

slru_bounds bounds_with(const entry_case& one) {
  slru_bounds bounds;
  bounds.next_xid = one.slru == slru_kind::xact ? one.page * pg::xacts_per_page + one.count
                                                : one.page * pg::commit_ts_per_page + one.count;
  bounds.next_multixact = one.page * pg::multixact_offsets_per_page + one.count;
  bounds.next_multixact_offset = one.page * pg::multixact_members_per_page + one.count;
  bounds.oldest_xid = 3;
  bounds.oldest_multixact = 1;
  bounds.oldest_commit_ts_xid = 3;
  return bounds;
}

TEST(comparison, slru_pages_count_up_to_the_next_entry) {
  const std::vector<entry_case> cases{
      {slru_kind::xact, 2, 400, 99, 100},           {slru_kind::multixact_offsets, 1, 10, 39, 40},
      {slru_kind::commit_ts, 3, 5, 49, 50},         {slru_kind::multixact_members, 1, 8, 39, 40},
      {slru_kind::multixact_members, 1, 6, 31, 32},  // xids of the second group
      {slru_kind::multixact_members, 1, 6, 21, 22},  // its flags
  };
  for (const entry_case& one : cases) {
    SCOPED_TRACE(directory_of(one.slru));
    const slru_bounds bounds = bounds_with(one);
    EXPECT_TRUE(slru_page_is_in_use(one.slru, one.page, bounds));
    EXPECT_FALSE(slru_page_is_in_use(one.slru, one.page + 1, bounds));
    EXPECT_FALSE(slru_page_is_past(one.slru, one.page, bounds));
    page theirs;
    theirs.data[one.first_free] = std::byte{1};
    theirs.data[8100] = std::byte{1};
    EXPECT_FALSE(compare_slru_pages(one.slru, one.page, page{}, theirs, bounds));
    theirs.data[one.last_used] = std::byte{1};
    EXPECT_EQ(compare_slru_pages(one.slru, one.page, page{}, theirs, bounds), one.last_used);
    // An older page counts as a whole.
    EXPECT_TRUE(compare_slru_pages(one.slru, one.page - 1, page{}, theirs, bounds));
  }
}

TEST(comparison, the_bits_of_one_byte_are_told_apart) {
  slru_bounds bounds;
  bounds.next_xid = 4 * 50 + 2;
  page theirs;
  theirs.data[50] = std::byte{0b0101'0000};  // the third and fourth xid of the byte
  EXPECT_FALSE(compare_slru_pages(slru_kind::xact, 0, page{}, theirs, bounds));
  theirs.data[50] = std::byte{0b0000'0100};
  EXPECT_EQ(compare_slru_pages(slru_kind::xact, 0, page{}, theirs, bounds), 50u);
}

TEST(comparison, pages_beyond_the_next_entry_are_known_across_a_wraparound) {
  slru_bounds bounds;
  bounds.next_xid = 5;             // just wrapped
  bounds.oldest_xid = 0xF0000000;  // the oldest lie before the wrap
  EXPECT_TRUE(slru_page_is_in_use(slru_kind::xact, 0, bounds));
  EXPECT_TRUE(slru_page_is_in_use(slru_kind::xact, 0xFFFFFFFF / pg::xacts_per_page, bounds));
  EXPECT_FALSE(slru_page_is_in_use(slru_kind::xact, 1, bounds));
  EXPECT_FALSE(slru_page_is_past(slru_kind::xact, 0, bounds));
  EXPECT_FALSE(slru_page_is_past(slru_kind::xact, 0xF0000000 / pg::xacts_per_page, bounds));
  EXPECT_TRUE(slru_page_is_past(slru_kind::xact, 0xF0000000 / pg::xacts_per_page - 1, bounds));
}

TEST(comparison, commit_timestamps_count_once_there_are_any) {
  slru_bounds bounds;
  bounds.next_xid = 1000;
  EXPECT_TRUE(slru_page_is_past(slru_kind::commit_ts, 0, bounds));
  bounds.oldest_commit_ts_xid = 900;
  EXPECT_TRUE(slru_page_is_past(slru_kind::commit_ts, 0, bounds));
  EXPECT_FALSE(slru_page_is_past(slru_kind::commit_ts, 1, bounds));
}

}  // namespace
}  // namespace zenith::backup
