// collected: what a merge's output remembers of the retention under which it was made.
#include "storage/layers/collected.hpp"

#include <gtest/gtest.h>

#include "storage/layers/layer_writes.hpp"
#include "tests/storage/layers/map_samples.hpp"

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

}  // namespace
}  // namespace zenith::layers
