// unreadable: ranges of keys that merges leave alone.
#include "storage/layers/unreadable.hpp"

#include <gtest/gtest.h>

#include "tests/storage/layers/map_samples.hpp"

namespace zenith::layers {
namespace {

unreadable_part part(uint64_t number, uint32_t first, uint32_t last) {
  return {{sample_timeline(1), number, layer_kind::delta},
          {sample_key(first), sample_key(last)},
          {errc::corrupt, "file damaged at offset 512"}};
}

std::vector<key_range> ranges(std::initializer_list<std::pair<uint32_t, uint32_t>> blocks) {
  std::vector<key_range> all;
  for (const auto& [first, last] : blocks) all.push_back({sample_key(first), sample_key(last)});
  return all;
}

TEST(unreadable_parts_of_files, touch_slices_that_have_some_of_their_keys) {
  unreadable_parts known;
  EXPECT_TRUE(known.empty());
  EXPECT_EQ(known.problem(), "");
  known.add(part(1, 20, 30));
  EXPECT_TRUE(known.touches(sample_slice(1, 0, 20, 1, 2)));
  EXPECT_TRUE(known.touches(sample_slice(1, 30, 40, 1, 2)));
  EXPECT_FALSE(known.touches(sample_slice(1, 0, 19, 1, 2)));
  EXPECT_FALSE(known.touches(sample_slice(1, 31, 90, 1, 2)));
  EXPECT_FALSE(known.touches(sample_slice(2, 0, 90, 1, 2)));
  EXPECT_NE(known.problem().find("file damaged at offset 512"), std::string::npos);
  std::vector<key_range> of;
  known.add_of(sample_slice(1, 25, 90, 1, 2), of);
  EXPECT_EQ(of, ranges({{25, 30}}));
}

TEST(unreadable_parts_of_files, become_one_where_they_meet) {
  unreadable_parts known;
  known.add(part(1, 40, 50));
  known.add(part(1, 10, 20));
  known.add(part(1, 60, 70));
  known.add(part(1, 15, 45));
  std::vector<key_range> of;
  known.add_of(sample_slice(1, 0, 100, 1, 2), of);
  EXPECT_EQ(of, ranges({{10, 50}, {60, 70}}));
}

TEST(unreadable_parts_of_files, are_no_more_than_a_bound) {
  unreadable_parts known;
  for (uint32_t i = 0; i <= unreadable_parts::parts_per_file_max; ++i)
    known.add(part(1, 10 * i, 10 * i + 1));
  std::vector<key_range> of;
  known.add_of(sample_slice(1, 0, 10000, 1, 2), of);
  EXPECT_EQ(of, ranges({{0, 10 * unreadable_parts::parts_per_file_max + 1}}));
}

TEST(unreadable_parts_of_files, are_forgotten_with_them) {
  unreadable_parts known;
  known.add(part(1, 1, 2));
  known.add(part(2, 1, 2));
  EXPECT_NE(known.problem().find("1 more"), std::string::npos);
  known.keep_named(layer_map::make({{sample_slice(2, 0, 9, 1, 2)}}, {}).value());
  EXPECT_FALSE(known.touches(sample_slice(1, 0, 9, 1, 2)));
  EXPECT_TRUE(known.touches(sample_slice(2, 0, 9, 1, 2)));
  known.keep_named({});
  EXPECT_TRUE(known.empty());
}

TEST(the_first_keys_outside_of_ranges, begin_behind_those_and_end_before_the_next) {
  const auto of = [](std::initializer_list<std::pair<uint32_t, uint32_t>> blocks, uint32_t from,
                     uint32_t to) {
    return first_free(ranges(blocks), sample_key(from), sample_key(to));
  };
  EXPECT_EQ(of({}, 3, 9), ranges({{3, 9}})[0]);
  EXPECT_EQ(of({{5, 6}}, 3, 9), ranges({{3, 4}})[0]);
  EXPECT_EQ(of({{5, 6}, {0, 3}}, 3, 9), ranges({{4, 4}})[0]);
  EXPECT_EQ(of({{4, 6}, {0, 3}}, 3, 9), ranges({{7, 9}})[0]);
  EXPECT_EQ(of({{20, 30}, {9, 9}}, 3, 9), ranges({{3, 8}})[0]);
  EXPECT_EQ(of({{4, 10}, {0, 3}}, 3, 9), std::nullopt);
}

TEST(damage, is_what_reading_again_does_not_help) {
  EXPECT_TRUE(is_damage({errc::corrupt, ""}));
  EXPECT_TRUE(is_damage({errc::not_found, ""}));
  EXPECT_FALSE(is_damage({errc::io, ""}));
  EXPECT_FALSE(is_damage({errc::unavailable, ""}));
}

}  // namespace
}  // namespace zenith::layers
