// Layer maps: what they take, and what capping, flushing and merging make of them.
#include "storage/layers/layer_map.hpp"

#include <gtest/gtest.h>

#include "tests/storage/layers/map_samples.hpp"

namespace zenith::layers {
namespace {

using levels_list = std::vector<layer_map::level>;

layer_map made(levels_list levels, std::vector<unknown_state> unknowns = {}) {
  auto map = layer_map::make(std::move(levels), std::move(unknowns));
  EXPECT_TRUE(map.has_value()) << map.error().message;
  return map ? *map : layer_map();
}

/// Level 0 with two slices, level 1 with three, and a base.
layer_map sample() {
  levels_list levels(layer_map::level_count);
  levels[0] = {sample_slice(12, 5, 40, 400, 500), sample_slice(11, 0, 100, 300, 400)};
  levels[1] = {sample_slice(7, 0, 9, 100, 290), sample_slice(8, 10, 49, 150, 300),
               sample_slice(9, 60, 100, 100, 200)};
  levels[6] = {sample_base(100)};
  return made(levels);
}

layer_slice part(layer_slice slice, uint32_t first, uint32_t last, uint64_t until) {
  slice.first = sample_key(first);
  slice.last = sample_key(last);
  slice.until = lsn{until};
  return slice;
}

void refused(const levels_list& levels, std::string_view named) {
  const auto map = layer_map::make(levels, {});
  ASSERT_FALSE(map.has_value()) << named;
  EXPECT_EQ(map.error().code, errc::corrupt);
  EXPECT_NE(map.error().message.find(named), std::string::npos) << map.error().message;
}

TEST(layer_map, says_what_it_holds) {
  const layer_map map = sample();
  EXPECT_EQ(map.slices(), 6u);
  EXPECT_EQ(map.depth(), 4u);  // two of level 0, level 1, the base
  EXPECT_EQ(map.size_bytes(), 6000u);
  EXPECT_EQ(layer_map().depth(), 0u);

  levels_list levels(2);
  levels[0] = {part(sample_slice(3, 0, 100, 300, 400), 0, 50, 400),
               part(sample_slice(3, 0, 100, 300, 400), 60, 100, 400)};
  levels[0][0].file.copied_at = levels[0][1].file.copied_at = {lsn{5}, lsn{9}};
  levels[1] = {sample_slice(2, 0, 100, 200, 300)};
  levels[1][0].file.copied_at = {lsn{4}, lsn{9}};
  EXPECT_EQ(made(levels).size_bytes(), 2000u);  // each file once
  EXPECT_EQ(made(levels).copied_at(), (std::vector{lsn{4}, lsn{5}, lsn{9}}));
}

TEST(layer_map, that_contradicts_itself_is_refused) {
  refused(levels_list(8), "8 levels");
  refused({{part(sample_slice(1, 5, 10, 1, 9), 4, 10, 9)}}, "its keys");
  refused({{part(sample_slice(1, 5, 10, 1, 9), 6, 11, 9)}}, "its keys");
  refused({{part(sample_slice(1, 5, 10, 1, 9), 7, 6, 9)}}, "its keys");
  refused({{part(sample_slice(1, 5, 10, 1, 9), 5, 10, 1)}}, "which are none");
  refused({{sample_slice(1, 5, 10, 9, 9)}}, "after 0/9 up to 0/9");
  layer_slice image = sample_base(9);
  image.file.after = lsn{8};
  refused({{image}}, "image file");
  layer_slice keys = sample_slice(1, 5, 10, 1, 9);
  keys.file.keys = keys.file.entries + 1;
  refused({{keys}}, "21 keys");
  layer_slice copies = sample_slice(1, 5, 10, 1, 9);
  copies.file.copied_at = {lsn{4}, lsn{3}};
  refused({{copies}}, "copies");
  // Levels from 1 on are sorted, and do not overlap.
  refused({{}, {sample_slice(1, 0, 10, 1, 9), sample_slice(2, 10, 20, 1, 9)}},
          "slice 1 of level 1");
  refused({{}, {sample_slice(1, 20, 30, 1, 9), sample_slice(2, 0, 10, 1, 9)}},
          "slice 1 of level 1");
  // Level 0 is newer than what lies behind it and below it, key by key.
  refused({{sample_slice(2, 0, 10, 8, 20), sample_slice(1, 10, 20, 1, 9)}}, "lies below it");
  refused({{sample_slice(2, 0, 10, 8, 20)}, {}, {sample_slice(1, 10, 20, 1, 9)}},
          "slice 0 of level 2");
  made({{sample_slice(2, 0, 10, 8, 20), part(sample_slice(1, 10, 20, 1, 9), 10, 20, 8)}});
  made({{sample_slice(2, 0, 10, 8, 20)}, {}, {sample_slice(1, 11, 20, 1, 9)}});
  const std::vector<unknown_state> rising{{key_pattern{}, lsn{1}, {}}, {key_pattern{}, lsn{2}, {}}};
  EXPECT_FALSE(layer_map::make({}, rising).has_value());
}

TEST(layer_map, that_is_capped_has_nothing_later) {
  const layer_map capped = sample().capped(lsn{300});
  levels_list expected(layer_map::level_count);
  expected[1] = {sample_slice(7, 0, 9, 100, 290), sample_slice(8, 10, 49, 150, 300),
                 sample_slice(9, 60, 100, 100, 200)};
  expected[6] = {sample_base(100)};
  EXPECT_EQ(capped, made(expected));
  expected[1] = {part(sample_slice(7, 0, 9, 100, 290), 0, 9, 150),
                 part(sample_slice(9, 60, 100, 100, 200), 60, 100, 150)};
  EXPECT_EQ(sample().capped(lsn{150}), made(expected));
  EXPECT_EQ(sample().capped(lsn{300}).capped(lsn{150}), made(expected));
  EXPECT_EQ(sample().capped(lsn{150}).capped(lsn{300}), made(expected));
  // The base is as of 100, not later.
  expected[1].clear();
  EXPECT_EQ(sample().capped(lsn{100}), made(expected));
  EXPECT_EQ(sample().capped(lsn{99}), layer_map());
}

TEST(layer_map, shares_the_levels_that_a_cap_leaves_alone) {
  const layer_map map = sample();
  const layer_map capped = map.capped(lsn{450});
  for (unsigned i = 1; i < layer_map::level_count; ++i)
    EXPECT_EQ(&capped.levels()[i].slices(), &map.levels()[i].slices()) << i;
  EXPECT_EQ(capped.levels()[0][0].until, lsn{450});
  EXPECT_EQ(&map.capped(lsn{500}).levels()[0].slices(), &map.levels()[0].slices());
}

TEST(layer_map, keeps_what_is_unknown_up_to_the_cap) {
  const unknown_state a{key_pattern::all(key_kind::next_oid), lsn{300}, {errc::corrupt, "a"}};
  const unknown_state b{key_pattern::sizes_of({1, 2, 3}), lsn{400}, {errc::corrupt, "b"}};
  const layer_map map = made({}, {b, a});
  ASSERT_EQ(map.capped(lsn{400}).unknowns().size(), 2u);
  ASSERT_EQ(map.capped(lsn{399}).unknowns().size(), 1u);
  EXPECT_EQ(map.capped(lsn{399}).unknowns()[0].at, lsn{300});
  EXPECT_TRUE(map.capped(lsn{299}).unknowns().empty());
}

TEST(layer_map, has_what_was_flushed_on_top) {
  const layer_map map = sample().with_flushed({sample_file(13, 0, 1000, 500, 590)}, {}, lsn{600});
  ASSERT_EQ(map.levels()[0].size(), 3u);
  EXPECT_EQ(map.levels()[0][0], sample_slice(13, 0, 1000, 500, 590));
  EXPECT_EQ(map.levels()[0][1], sample().levels()[0][0]);
  levels_list again(map.levels().begin(), map.levels().end());
  EXPECT_EQ(made(again), map);
}

TEST(layer_map, takes_what_is_unknown_once_and_within_a_bound) {
  const auto sizes = [](uint32_t relation, uint64_t at) {
    return unknown_state{key_pattern::sizes_of({1, 2, relation}), lsn{at}, {errc::corrupt, "a"}};
  };
  layer_map map = layer_map().with_flushed({}, {sizes(2, 20), sizes(1, 10)}, lsn{20});
  map = map.with_flushed({}, {sizes(3, 40), sizes(1, 30)}, lsn{40});
  ASSERT_EQ(map.unknowns().size(), 3u);
  EXPECT_EQ(map.unknowns()[0].at, lsn{40});
  EXPECT_EQ(map.unknowns()[1].at, lsn{20});
  EXPECT_EQ(map.unknowns()[2].at, lsn{10});
  for (uint32_t i = 0; i < 1000; ++i) map = map.with_flushed({}, {sizes(i, 100 + i)}, lsn{100 + i});
  EXPECT_LT(map.unknowns().size(), 300u);
  EXPECT_EQ(map.unknowns()[0].keys, key_pattern::all(key_kind::relation_size));
  EXPECT_TRUE(layer_map::make({}, map.unknowns()).has_value());
}

layer_map merged(const layer_map& map, const std::vector<layer_slice>& inputs, uint32_t first,
                 uint32_t last, const std::vector<layer_file_info>& outputs, unsigned level) {
  const auto after =
      map.with_compacted(inputs, sample_key(first), sample_key(last), outputs, level);
  EXPECT_TRUE(after.has_value()) << after.error().message;
  return after ? *after : layer_map();
}

TEST(layer_map, has_a_merge_in_place_of_its_inputs) {
  const layer_map map = sample();
  const std::vector<layer_slice> inputs{map.levels()[0][0], map.levels()[0][1], map.levels()[1][0],
                                        map.levels()[1][1], map.levels()[1][2]};
  const layer_map after =
      merged(map, inputs, 0, 100,
             {sample_file(20, 0, 30, 100, 500), sample_file(21, 31, 100, 100, 500)}, 1);
  levels_list expected(layer_map::level_count);
  expected[1] = {sample_slice(20, 0, 30, 100, 500), sample_slice(21, 31, 100, 100, 500)};
  expected[6] = {sample_base(100)};
  EXPECT_EQ(after, made(expected));
  EXPECT_EQ(&after.levels()[6].slices(), &map.levels()[6].slices());
}

TEST(layer_map, keeps_the_inputs_parts_outside_of_the_merge) {
  const layer_map map = sample();
  const std::vector<layer_slice> inputs{map.levels()[1][1], map.levels()[1][2], map.levels()[6][0]};
  layer_map after = merged(map, inputs, 20, 70, {sample_file(20, 20, 70, 99, 300)}, 6);
  EXPECT_EQ(after.places()[1], sample_key(70));
  EXPECT_EQ(after.levels()[0], map.levels()[0]);
  const layer_map::level level1{map.levels()[1][0],
                                part(sample_slice(8, 10, 49, 150, 300), 10, 19, 300),
                                part(sample_slice(9, 60, 100, 100, 200), 71, 100, 200)};
  EXPECT_EQ(after.levels()[1].slices(), level1);
  const layer_map::level level6{part(sample_base(100), 0, 19, 100),
                                sample_slice(20, 20, 70, 99, 300),
                                part(sample_base(100), 71, 1000000, 100)};
  EXPECT_EQ(after.levels()[6].slices(), level6);
  // The first and the last key of all have no neighbours on that side.
  after = merged(map, {map.levels()[6][0]}, 0, 1000000, {}, 6);
  EXPECT_TRUE(after.levels()[6].empty());
}

TEST(layer_map, has_a_merge_within_level_0_where_its_oldest_input_was) {
  layer_map map = sample().with_flushed({sample_file(13, 0, 50, 500, 600)}, {}, lsn{600});
  const layer_slice newest = sample_slice(14, 0, 50, 600, 700);
  const std::vector<layer_slice> inputs{map.levels()[0][0], map.levels()[0][1]};
  map = map.with_flushed({newest.file}, {}, lsn{700});  // while the merge was under way
  const layer_map after = merged(map, inputs, 0, 50, {sample_file(20, 0, 50, 400, 600)}, 0);
  const layer_map::level level0{newest, sample_slice(20, 0, 50, 400, 600),
                                sample_slice(11, 0, 100, 300, 400)};
  EXPECT_EQ(after.levels()[0].slices(), level0);
}

void merge_refused(const layer_map& map, const std::vector<layer_slice>& inputs, uint32_t first,
                   uint32_t last, const std::vector<layer_file_info>& outputs, unsigned level,
                   errc code, std::string_view named) {
  const auto after =
      map.with_compacted(inputs, sample_key(first), sample_key(last), outputs, level);
  ASSERT_FALSE(after.has_value()) << named;
  EXPECT_EQ(after.error().code, code);
  EXPECT_NE(after.error().message.find(named), std::string::npos) << after.error().message;
}

TEST(layer_map, refuses_a_merge_that_does_not_fit) {
  const layer_map map = sample();
  const auto& level0 = map.levels()[0];
  const auto& level1 = map.levels()[1];
  constexpr errc wrong = errc::invalid_argument;
  merge_refused(map, {}, 0, 9, {}, 1, wrong, "0 inputs");
  merge_refused(map, {level1[0]}, 9, 0, {}, 1, wrong, "keys from");
  merge_refused(map, {level1[0]}, 0, 9, {}, 7, wrong, "level 7");
  merge_refused(map, {sample_slice(6, 0, 9, 100, 290)}, 0, 9, {}, 1, errc::conflict, "any more");
  merge_refused(map, {part(level1[0], 0, 8, 290)}, 0, 9, {}, 1, errc::conflict, "any more");
  merge_refused(map, {level1[0]}, 10, 20, {}, 1, wrong, "has no key");
  merge_refused(map, {level1[0]}, 0, 9, {}, 0, wrong, "lies below level 0");
  // Older versions would stay above newer ones.
  merge_refused(map, {level0[0]}, 5, 40, {sample_file(20, 5, 40, 400, 500)}, 1, wrong,
                "slice 1 of level 0");
  merge_refused(map, {level0[0], level0[1]}, 0, 100, {sample_file(20, 5, 40, 300, 500)}, 2, wrong,
                "slice 0 of level 1");
  merge_refused(map, {level0[1]}, 0, 100, {sample_file(20, 0, 100, 300, 400)}, 1, wrong,
                "slice 1 of level 1");
  const layer_map three = map.with_flushed({sample_file(13, 0, 50, 500, 600)}, {}, lsn{600});
  merge_refused(three, {three.levels()[0][0], three.levels()[0][2]}, 0, 100,
                {sample_file(20, 0, 50, 300, 600)}, 0, wrong, "slice 1 of level 0");
  // Outputs in order, within the merge's keys and its inputs' versions.
  merge_refused(map, {level1[0]}, 0, 9, {sample_file(20, 0, 10, 100, 290)}, 1, wrong, "has keys");
  merge_refused(map, {level1[0]}, 0, 9,
                {sample_file(20, 0, 5, 100, 290), sample_file(21, 5, 9, 100, 290)}, 1, wrong,
                "has keys");
  merge_refused(map, {level1[0]}, 0, 9, {sample_file(20, 0, 9, 99, 290)}, 1, wrong, "versions");
  merge_refused(map, {level1[0]}, 0, 9, {sample_file(20, 0, 9, 100, 291)}, 1, wrong, "versions");
}

}  // namespace
}  // namespace zenith::layers
