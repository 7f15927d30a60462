// collected: what merges would free of files, from which horizon on, and what files remember of it.
#include "storage/layers/collected.hpp"

#include <gtest/gtest.h>

#include "storage/layers/layer_writes.hpp"
#include "tests/storage/layers/map_model.hpp"
#include "tests/storage/layers/map_samples.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

TEST(what_may_go_of_a_file, was_left_out_by_the_merge_that_wrote_it) {
  layer_file_info file = sample_file(1, 0, 100, 1000, 2000);
  const retention keep{lsn{1800}, {lsn{1500}}};
  EXPECT_GT(collectable(whole(file), keep), 0.3);
  note_retention(file, keep, {});
  EXPECT_EQ(collectable(whole(file), keep), 0);
  EXPECT_GT(collectable(whole(file), {lsn{1800}, {}}), 0.3) << "the point has gone";
}

TEST(what_may_go_of_a_file, does_not_come_back_where_a_later_merge_keeps_everything) {
  layer_file_info older = sample_file(1, 0, 100, 1000, 2000);
  const layer_file_info newer = sample_file(2, 0, 100, 2000, 2200);
  const retention keep{lsn{1800}, {lsn{1500}}};
  note_retention(older, keep, {});
  layer_file_info merged = sample_file(3, 0, 100, 1000, 2200);
  note_retention(merged, {}, {whole(newer), whole(older)});
  EXPECT_EQ(merged.collected_to, lsn{1800});
  EXPECT_EQ(collectable(whole(merged), keep), 0);
  EXPECT_GT(collectable(whole(merged), {lsn{1800}, {}}), 0.3) << "the point has gone";
}

// A child's merges take in files of its parent, which were merged under a later horizon.
TEST(what_may_go_of_a_file, is_nothing_once_a_merge_under_an_earlier_horizon_has_written_it) {
  layer_file_info parents = sample_file(1, 0, 100, 1000, 2000);
  note_retention(parents, {lsn{1800}, {lsn{1500}}}, {});
  layer_file_info merged = sample_file(2, 0, 100, 1000, 2000);
  const retention keep{lsn{1500}, {}};
  EXPECT_GT(collectable(whole(merged), keep), 0.2);
  note_retention(merged, keep, {whole(parents)});
  EXPECT_EQ(collectable(whole(merged), keep), 0);
  EXPECT_GT(collectable(whole(merged), {lsn{1900}, {}}), 0.1) << "the horizon has risen";
}

// Files of timeline 1 by LSN; of 20 versions each has 10 keys, so half of them repeat a key.
layer_map map_of(std::vector<layer_slice> level1, std::vector<layer_slice> level0 = {}) {
  std::vector<layer_map::level> levels(layer_map::level_count);
  levels[0] = std::move(level0);
  levels[1] = std::move(level1);
  levels.back().push_back(sample_base(100));
  return layer_map::make(std::move(levels), {}).value();
}

const timeline_id owner = sample_timeline(1);

TEST(collectable_files, are_the_owners_own_with_what_repeats_below_the_horizon) {
  const layer_map map = map_of({sample_slice(1, 0, 9, 100, 200), sample_slice(2, 10, 19, 100, 200)},
                               {sample_slice(3, 0, 19, 200, 300)});
  EXPECT_TRUE(collectable_files(map, {lsn{100}, {}}, owner).empty());
  EXPECT_TRUE(collectable_files(map, {}, owner).empty());
  const auto found = collectable_files(map, {lsn{250}, {}}, owner);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].name.number, 1u);
  EXPECT_EQ(found[0].bytes, 500u);
  EXPECT_EQ(found[1].bytes, 500u);
  EXPECT_EQ(found[2].bytes, 250u);
  EXPECT_TRUE(collectable_files(map, {lsn{250}, {}}, sample_timeline(2)).empty());
}

TEST(collectable_files, in_several_slices_count_once) {
  layer_slice left = sample_slice(1, 0, 19, 100, 200);
  layer_slice right = left;
  left.last = sample_key(4);
  right.first = sample_key(15);
  const auto found = collectable_files(map_of({left, right}), {lsn{200}, {}}, owner);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].bytes, 500u);
}

TEST(collectable_files, are_not_those_of_which_too_little_would_go) {
  const layer_map map = map_of({sample_slice(1, 0, 9, 100, 200)});
  EXPECT_TRUE(collectable_files(map, {lsn{119}, {}}, owner).empty());
  EXPECT_EQ(collectable_files(map, {lsn{121}, {}}, owner).size(), 1u);
  EXPECT_EQ(next_collectable(map, {lsn{100}, {}}, lsn{500}, owner), lsn{120});
}

TEST(next_collectable, is_none_where_no_horizon_frees_more) {
  const layer_map map = map_of({sample_slice(1, 0, 9, 100, 200)});
  EXPECT_EQ(next_collectable(map, {lsn{100}, {}}, lsn{119}, owner), std::nullopt);
  EXPECT_EQ(next_collectable(map, {lsn{150}, {}}, lsn{500}, owner), std::nullopt);
  EXPECT_EQ(next_collectable(map, {lsn{100}, {}}, lsn{500}, sample_timeline(2)), std::nullopt);
}

TEST(next_collectable, is_where_merges_begin_to_write_files_again) {
  layer_limits limits;
  limits.file_bytes = 64 * map_model::version_bytes;
  limits.level0_merge_at = 2;
  limits.level1_bytes = 512 * map_model::version_bytes;
  map_model model(limits, 40, testing::test_seed());
  for (int i = 0; i < 20; ++i) {
    model.flush(100, key_choice::anywhere);
    while (model.merge()) {
    }
  }
  const timeline_id mine = model.map().levels()[0].empty()
                               ? model.map().levels()[1].front().file.name.timeline
                               : model.map().levels()[0].front().file.name.timeline;
  int steps = 0;
  for (lsn horizon{1000}; horizon < model.end(); ++steps) {
    ASSERT_LT(steps, 1000);
    while (model.merge({horizon, {}}, collecting::yes)) {
    }
    EXPECT_TRUE(collectable_files(model.map(), {horizon, {}}, mine).empty());
    const auto next = next_collectable(model.map(), {horizon, {}}, model.end(), mine);
    if (!next) break;
    ASSERT_GT(*next, horizon);
    EXPECT_FALSE(model.merge({*next - 1, {}}, collecting::yes));
    EXPECT_FALSE(collectable_files(model.map(), {*next, {}}, mine).empty());
    EXPECT_TRUE(model.merge({*next, {}}, collecting::yes));
    horizon = *next;
  }
  EXPECT_GT(steps, 1);
  EXPECT_FALSE(model.merge({model.end(), {}}, collecting::yes));
  model.check();
}

}  // namespace
}  // namespace zenith::layers
