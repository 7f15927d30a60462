// The golden corpus in layer files that are merged all the while: equal to what PostgreSQL has.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/layers/image_layer.hpp"
#include "storage/layers/layer_store.hpp"
#include "tests/support/golden_replay.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::testing {
namespace {

using layers::layer_slice;
using layers::retention;
using layers::version_entry;

class golden_merges : public ::testing::TestWithParam<std::string> {
 protected:
  golden_merges() {
    const timeline_id id{{1}};
    layers::layer_store::parameters how;
    how.directory = path("/timelines") / to_string(id);
    const path layers_folder = how.directory / "layers";
    EXPECT_TRUE(files_.create_directories(layers_folder));
    auto base = layers::image_writer::create(files_, layers_folder / "base.image", scenario_.start);
    EXPECT_TRUE(base);
    for (const auto& [k, value] : golden_base_values()) EXPECT_TRUE(base->add(k, value));
    EXPECT_TRUE(base->finish());
    how.files = &files_;
    how.id = id;
    how.start = {.at = scenario_.start, .last_record = scenario_.start - 8};
    how.readable_from = scenario_.start;
    how.registry = registry_;
    how.limits.file_bytes = 256 * 1024;
    how.limits.level0_merge_at = 2;
    how.limits.level1_bytes = 256 * 1024;
    how.limits.level_factor = 3;
    how.limits.records_per_page_max = records_max;
    auto store = layers::layer_store::open(std::move(how));
    EXPECT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }

  /// Takes all WAL in; writes and merges after each part of it, and keeps the last part and the
  /// stops where only that is asked for.
  void run(bool keep_all, unsigned parts) {
    layers::ingestor ingestor(store_->open_layer(), store_->below_open(),
                              [](const wal::raw_record& record, const error& cause) {
                                ADD_FAILURE() << to_string(record.start) << ": " << cause.message;
                              });
    const uint64_t part_bytes = (scenario_.end - scenario_.start) / parts;
    layers::wal_place place{.at = scenario_.start};
    for_each_golden_record(scenario_, [&](const wal::raw_record& raw, const pg::record&) {
      ASSERT_TRUE(ingestor.ingest(raw));
      place = {raw.end, raw.start, false};
      if (raw.end - store_->disk_consistent().at < part_bytes) return;
      ASSERT_NO_FATAL_FAILURE(write_and_merge(place, keep_all));
      ingestor.continue_in(store_->open_layer(), store_->below_open());
    });
    ASSERT_NO_FATAL_FAILURE(write_and_merge(place, keep_all));
    ASSERT_NO_FATAL_FAILURE(merge(keep_all));
  }

  void write_and_merge(const layers::wal_place& end, bool keep_all) {
    const lsn before = store_->disk_consistent().at;
    const auto versions = store_->open_layer()->cursor();
    for (version_entry v; versions->next(v).value();) versions_.emplace_back(v.k, v.at);
    store_->freeze(end);
    while (const auto job = store_->next_write()) {
      const auto written = job->run();
      ASSERT_TRUE(written) << written.error().message;
      ASSERT_TRUE(store_->install(*job, *written));
    }
    if (!keep_all) {
      keep_.horizon = before;
      for (const golden_stop& stop : scenario_.stops)
        if (stop.at < before) keep_.points.push_back(stop.at);
      std::ranges::sort(keep_.points);
      keep_.points.erase(std::ranges::unique(keep_.points).begin(), keep_.points.end());
      ASSERT_TRUE(store_->set_readable_from(before));
    }
    ASSERT_NO_FATAL_FAILURE(merge(false));
  }

  void merge(bool collect) {
    for (;;) {
      const auto job = store_->next_merge(keep_, collect);
      ASSERT_TRUE(job) << job.error().message;
      if (!*job) return;
      const auto written = (*job)->run([] { return false; });
      ASSERT_TRUE(written) << written.error().message;
      const auto installed = store_->install(**job, *written);
      ASSERT_TRUE(installed) << installed.error().message;
      ++merges_;
    }
  }

  void expect_what_postgresql_has() {
    const layers::view view(store_->layers(scenario_.end), scenario_.start, scenario_.end);
    const golden_replay replay(scenario_);
    size_t compared = 0;
    for (const golden_stop& stop : scenario_.stops) {
      const auto found = replay.differences(view, stop, compared);
      EXPECT_TRUE(found.empty()) << found.size() << " differences, the first: " << found.front();
    }
    EXPECT_GT(compared, 2000u);
    EXPECT_GT(merges_, 3u);
  }

  /// Of every so many versions, by both views.
  void expect_all_versions(size_t every) {
    const layers::view files(store_->layers(scenario_.end), scenario_.start, scenario_.end);
    const golden_replay replay(scenario_);
    const layers::view memory = replay.view(std::make_shared<layers::page_cache>(size_t{64} << 20));
    size_t compared = 0;
    for (size_t i = 0; i < versions_.size(); i += every) {
      const auto& [k, at] = versions_[i];
      if (k.is_all_blocks() || k.kind == key_kind::transaction_ends) continue;
      const auto expected = memory.value(k, at);
      const auto found = files.value(k, at);
      ASSERT_EQ(expected.has_value(), found.has_value()) << to_string(k) << " " << to_string(at);
      if (!expected) continue;
      ASSERT_EQ(*expected, *found) << to_string(k) << " as of " << to_string(at);
      ++compared;
    }
    EXPECT_GT(compared, versions_.size() / every / 2);
  }

  /// In one level below the first no page needs more records than the bound, but for visibility
  /// maps whose image has to stay.
  void expect_few_records() {
    for (size_t level = 1; level < store_->map().levels().size(); ++level)
      for (const layer_slice& slice : store_->map().levels()[level]) {
        const auto cursor = registry_->cursor(slice.file, slice.first, slice.last, slice.until);
        ASSERT_TRUE(cursor);
        unsigned row = 0;
        key k;
        for (version_entry v; (*cursor)->next(v).value();) {
          if (v.k != k) row = 0;
          k = v.k;
          row = v.kind == layers::version_kind::changes ? row + 1 : 0;
          if (k.relation_fork() != fork_number::vm) ASSERT_LE(row, records_max) << to_string(k);
          pages_ += v.kind == layers::version_kind::value && k.kind == key_kind::relation_block;
        }
      }
  }

  static constexpr unsigned records_max = 4;
  golden_scenario scenario_ = load_golden(GetParam());
  memory_file_system files_;
  std::shared_ptr<layers::layer_files> registry_ =
      std::make_shared<layers::layer_files>(files_, "/timelines", layers::layer_files::limits{});
  std::unique_ptr<layers::layer_store> store_;
  std::vector<std::pair<key, lsn>> versions_;  // all that were written
  retention keep_;
  size_t merges_ = 0;
  size_t pages_ = 0;
};

INSTANTIATE_TEST_SUITE_P(scenarios, golden_merges, ::testing::ValuesIn(golden_names()),
                         [](const auto& which) { return which.param; });

TEST_P(golden_merges, a_merged_history_is_the_one_that_PostgreSQL_has) {
  ASSERT_NO_FATAL_FAILURE(run(true, 20));
  expect_what_postgresql_has();
  expect_few_records();
  EXPECT_GT(pages_, 500u);
  expect_all_versions(full_test_level() ? 1 : 17);
}

TEST_P(golden_merges, what_is_kept_of_a_history_is_what_PostgreSQL_has) {
  ASSERT_NO_FATAL_FAILURE(run(false, 12));
  expect_what_postgresql_has();
  expect_few_records();
}

}  // namespace
}  // namespace zenith::testing
