// The order of SLRU pages around the wrap, and which segments a truncation may take.
#include "storage/postgres/slru.hpp"

#include <gtest/gtest.h>

namespace zenith::pg {
namespace {

constexpr std::array ordered{slru_kind::xact, slru_kind::multixact_offsets,
                             slru_kind::multixact_members, slru_kind::commit_ts};

uint32_t per_page(slru_kind slru) {
  switch (slru) {
    case slru_kind::xact:
      return 32768;
    case slru_kind::multixact_offsets:
      return 2048;
    case slru_kind::multixact_members:
      return 1636;
    case slru_kind::commit_ts:
      return 819;
  }
  return 0;
}

TEST(slru_pages, hold_as_many_entries_as_postgresql_puts_there) {
  EXPECT_EQ(xacts_per_page, 32768u);
  EXPECT_EQ(multixact_offsets_per_page, 2048u);
  EXPECT_EQ(multixact_members_per_page, 1636u);
  EXPECT_EQ(commit_ts_per_page, 819u);
}

TEST(transaction_ids, are_ordered_around_the_wrap_except_for_the_special_ones) {
  EXPECT_TRUE(transaction_id_precedes(0xFFFFFFF0, 100));
  EXPECT_FALSE(transaction_id_precedes(100, 0xFFFFFFF0));
  EXPECT_TRUE(transaction_id_precedes(2, 0xFFFFFFF0)) << "the frozen one is older than all";
  EXPECT_TRUE(multixact_precedes(0xFFFFFFFF, 1));
}

TEST(slru_pages, come_before_those_up_to_half_the_ids_later) {
  for (const slru_kind slru : ordered) {
    const uint32_t half = (uint32_t{1} << 31) / per_page(slru);
    for (const uint32_t page : {0u, 1u, 5u, half - 2, half + 7}) {
      EXPECT_FALSE(slru_page_precedes(slru, page, page));
      EXPECT_TRUE(slru_page_precedes(slru, page, page + 1));
      EXPECT_FALSE(slru_page_precedes(slru, page + 1, page));
    }
    // slru.c, SlruPagePrecedesTestOffset: neither precedes the other at half the ids.
    EXPECT_TRUE(slru_page_precedes(slru, 0, half - 1));
    EXPECT_FALSE(slru_page_precedes(slru, 0, half + 1));
    EXPECT_FALSE(slru_page_precedes(slru, half - 1, 0));
  }
}

TEST(slru_segments, go_only_when_their_last_page_is_before_the_cutoff) {
  for (const slru_kind slru : ordered) {
    EXPECT_FALSE(may_delete_slru_segment(slru, 0, 0));
    EXPECT_FALSE(may_delete_slru_segment(slru, 0, 31));
    EXPECT_TRUE(may_delete_slru_segment(slru, 0, 32));
    EXPECT_TRUE(may_delete_slru_segment(slru, 31, 32)) << "any page names its segment";
    EXPECT_FALSE(may_delete_slru_segment(slru, 32, 33));
  }
  // Near the wrap the segment that the newest page is in would follow the oldest one around.
  EXPECT_TRUE(may_delete_slru_segment(slru_kind::xact, 131071, 5));
  EXPECT_TRUE(slru_page_precedes(slru_kind::xact, 65567, 20));
  EXPECT_FALSE(may_delete_slru_segment(slru_kind::xact, 65567, 20)) << "its first page is newer";
}

}  // namespace
}  // namespace zenith::pg
