// Tables, sizes, times and trees as people see them.
#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace zenith::cli {
namespace {

TEST(text, a_tables_columns_are_aligned_and_its_lines_end_without_spaces) {
  EXPECT_EQ(table({{"name"}, {"lag", column::side::right}, {"note"}},
                  {{"main", "8.0 kB", "x"}, {"a longer name", "0 B", ""}}),
            "name              lag  note\n"
            "main           8.0 kB  x\n"
            "a longer name     0 B  -\n");
  EXPECT_EQ(table({{"name"}, {"note"}}, {}), "name  note\n");
}

TEST(text, widths_count_characters_and_not_bytes) {
  EXPECT_EQ(table({{"branch"}, {"at"}}, {{"└─ b", "1"}, {"abcdef", "2"}}),
            "branch  at\n"
            "└─ b    1\n"
            "abcdef  2\n");
}

TEST(text, sizes_have_units_of_1024) {
  EXPECT_EQ(shown_size(0), "0 B");
  EXPECT_EQ(shown_size(1023), "1023 B");
  EXPECT_EQ(shown_size(1024), "1.0 kB");
  EXPECT_EQ(shown_size(1536 * 1024), "1.5 MB");
  EXPECT_EQ(shown_size(1024 * 1024 - 1), "1.0 MB");
  EXPECT_EQ(shown_size(uint64_t{5} << 30), "5.0 GB");
  EXPECT_EQ(shown_size(UINT64_MAX), "16.0 EB");
}

TEST(text, durations_are_short) {
  EXPECT_EQ(shown_duration(850), "850 us");
  EXPECT_EQ(shown_duration(12'345), "12.3 ms");
  EXPECT_EQ(shown_duration(4'200'000), "4.2 s");
}

TEST(text, times_are_relative_and_absolute) {
  const timestamp now = timestamp::from_unix_us(1'763'805'600'000'000);
  const auto before = [&](int64_t seconds) {
    return timestamp::from_unix_us(now.unix_us() - seconds * 1'000'000);
  };
  EXPECT_EQ(relative_time(now, now), "just now");
  EXPECT_EQ(relative_time(before(30), now), "30 s ago");
  EXPECT_EQ(relative_time(before(300), now), "5 min ago");
  EXPECT_EQ(relative_time(before(7200), now), "2 h ago");
  EXPECT_EQ(relative_time(before(3 * 86400), now), "3 days ago");
  EXPECT_EQ(relative_time(before(-7200), now), "in 2 h");
  const timestamp with_fraction = timestamp::from_unix_us(now.unix_us() - 300'000'000 + 123'456);
  EXPECT_EQ(shown_time(with_fraction, now), "2025-11-22T09:55:00Z (4 min ago)");
}

TEST(text, no_position_shows_as_a_dash) {
  EXPECT_EQ(shown_lsn(0), "-");
  EXPECT_EQ(shown_lsn(0x16B374D848), "16/B374D848");
}

actors::branch_info branch(const char* name, const char* parent, uint64_t start) {
  return {name, "", parent, start, start + 0x100, 1'763'805'600'000'000};
}

TEST(text, branches_are_a_tree_with_children_below_their_parents_in_the_order_of_their_starts) {
  const timestamp now = timestamp::from_unix_us(1'763'805'600'000'000);
  const std::string tree = branch_tree(
      {branch("late", "main", 0x3000), branch("early", "main", 0x2000),
       branch("leaf", "early", 0x2800), branch("main", "", 0x1000), branch("other", "", 0x9000)},
      now);
  const std::string created = "2025-11-22T10:00:00Z (just now)\n";
  EXPECT_EQ(tree,
            "branch      starts at  ends at  created\n"
            "main        0/1000     0/1100   " +
                created + "├─ early    0/2000     0/2100   " + created +
                "│  └─ leaf  0/2800     0/2900   " + created + "└─ late     0/3000     0/3100   " +
                created + "other       0/9000     0/9100   " + created);
}

TEST(text, a_branch_whose_parent_has_lost_its_name_is_shown_as_a_root) {
  EXPECT_NE(branch_tree({branch("orphan", "gone", 0x2000)}, timestamp()).find("\norphan"),
            std::string::npos);
}

}  // namespace
}  // namespace zenith::cli
