// Merges of a model some of whose files cannot be read: nothing is lost, all else is merged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/storage/layers/map_model.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

layer_limits small_limits() {
  layer_limits limits;
  limits.file_bytes = 6400;
  limits.level1_bytes = 25600;
  limits.job_bytes = 51200;
  return limits;
}

void damage(map_model& model, const layer_slice& slice, const key& first, const key& last) {
  model.unreadable.add({slice.file.name, {first, last}, {errc::corrupt, "a bad block"}});
}

/// Does all merges that are due: there is an end to them.
void merge_all(map_model& model) {
  for (int merges = 0; model.merge(); ++merges) ASSERT_LT(merges, 2000);
}

/// Level 0 has no more slices than merges leave there, and what is left between unreadable parts.
void expect_few_in_level0(const map_model& model, const layer_limits& limits, size_t parts) {
  ASSERT_FALSE(level0_merge_is_due(model.map(), limits, sample_timeline(1), model.unreadable));
  const size_t slices = model.map().levels()[0].size();
  ASSERT_LE(slices, limits.level0_merge_at * (2 + 2 * parts));
}

TEST(merges_with_unreadable_parts, of_any_level_lose_nothing_and_stay_bounded) {
  const int seeds = testing::full_test_level() ? 150 : 10;
  const uint64_t seed = testing::test_seed();
  for (int i = 0; i < seeds; ++i) {
    SCOPED_TRACE(fmt::format("ZENITH_TEST_SEED={}", seed + static_cast<uint64_t>(i)));
    std::mt19937_64 random(seed + static_cast<uint64_t>(i));
    const layer_limits limits = small_limits();
    const uint32_t keys = random() % 2 == 0 ? 400 : 4000;
    map_model model(limits, keys, random());
    if (random() % 3 != 0) model.begin_with_base();
    const bool branches = random() % 4 == 0;
    const size_t flush_max = random() % 2 == 0 ? 10 : 300;
    size_t parts = 0;
    for (int step = 0; step < 120; ++step) {
      model.flush(1 + random() % flush_max, static_cast<key_choice>(random() % 3));
      if (branches && random() % 10 == 0) model.branch();
      if (random() % 20 == 0) {
        const layer_level& level = model.map().levels()[random() % layer_map::level_count];
        if (!level.empty()) {
          const layer_slice& slice = level[random() % level.size()];
          const key first = std::max(slice.first, sample_key(random() % keys));
          const bool whole = random() % 4 == 0 || first > slice.last;
          ++parts;
          damage(model, slice, whole ? slice.first : first,
                 whole ? slice.last : std::min(slice.last, sample_key(first.d + random() % 30)));
        }
      }
      if (random() % 5 == 0) continue;
      merge_all(model);
      model.check();
      if (!branches) expect_few_in_level0(model, limits, parts);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(merges_with_unreadable_parts, of_a_whole_slice_of_level_0_keep_what_is_above_it_there) {
  const layer_limits limits = small_limits();
  map_model model(limits, 4000, testing::test_seed());
  model.begin_with_base();
  model.flush(30, key_choice::anywhere);
  const layer_slice damaged = model.map().levels()[0].front();
  damage(model, damaged, damaged.first, damaged.last);
  const uint64_t flushed = model.flushed_bytes;
  for (int i = 0; i < 200; ++i) {
    model.flush(30, key_choice::anywhere);
    merge_all(model);
    ASSERT_LE(model.map().levels()[0].size(), 3u * limits.level0_merge_at);
  }
  model.check();
  EXPECT_EQ(model.map().levels()[0].slices().back(), damaged);
  EXPECT_LE(model.merged_bytes, 12 * (model.flushed_bytes - flushed));
}

TEST(merges_with_unreadable_parts, of_the_base_go_by_them) {
  for (const bool all_of_it : {false, true}) {
    map_model model(small_limits(), 4000, testing::test_seed());
    model.begin_with_base();
    const layer_slice base = model.map().levels().back().front();
    if (all_of_it)
      damage(model, base, base.first, base.last);
    else
      damage(model, base, sample_key(2000), sample_key(2020));
    for (int i = 0; i < 100; ++i) {
      model.flush(200, key_choice::anywhere);
      merge_all(model);
      expect_few_in_level0(model, small_limits(), 1);
    }
    model.check();
    size_t of_base = 0;
    for (const layer_slice& one : model.map().levels().back())
      if (one.file.name == base.file.name) ++of_base;
    EXPECT_GE(of_base, 1u);
    EXPECT_LE(model.map().depth(), 2u * small_limits().level0_merge_at + 5);
  }
}

TEST(a_merge_of_level_0, is_not_due_where_none_can_be_done) {
  const auto map =
      layer_map::make({{sample_slice(4, 0, 100, 40, 50), sample_slice(3, 0, 100, 30, 40),
                        sample_slice(2, 0, 100, 20, 30), sample_slice(1, 0, 100, 10, 20)}},
                      {})
          .value();
  layer_limits limits;
  limits.level0_max = 4;
  unreadable_parts unreadable;
  const auto is_due = [&] {
    return level0_merge_is_due(map, limits, sample_timeline(1), unreadable);
  };
  EXPECT_TRUE(is_due());
  for (const uint64_t number : {1, 2, 3, 4})
    unreadable.add({{sample_timeline(1), number, layer_kind::delta},
                    {sample_key(0), sample_key(100)},
                    {errc::not_found, "no file"}});
  EXPECT_FALSE(is_due());
}

}  // namespace
}  // namespace zenith::layers
