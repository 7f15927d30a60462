// A closed timeline's files say what the timeline would say and do once it is opened.
#include "storage/repository/closed_timeline.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/layers/transaction_times.hpp"
#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::repository {
namespace {

using testing::golden_history_judge;
using testing::golden_timelines;
using testing::memory_file_system;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

constexpr uint64_t unlimited = retention_window::unlimited;
const retention_window everything{unlimited, 0};

class closed : public ::testing::Test {
 protected:
  explicit closed(const std::string& scenario = "databases") : judge_(scenario) {
    const auto store = open();
    lsn from = must(store->begin_stream());
    const lsn end = judge_.scenario().end;
    const uint64_t piece = (end - from) / 10;
    while (from < end) {
      const lsn until = std::min(from + piece, end);
      must(store->append(from, judge_.scenario().wal_from(from).first(until - from)));
      testing::settle(*store);
      from = until;
    }
    must(store->sync());
    int64_t time = INT64_MIN;
    const auto layers = store->layers().layers(store->end());
    while (const auto next = must(layers::first_later_than(layers, time))) {
      time = next->time_us;
      times_.push_back(time);
    }
    since_ = timestamp{times_.front() - 1};
  }

  std::unique_ptr<timeline_store> open() {
    all_.restart();
    auto how = all_.parameters(0);
    how.metadata.created_at = since_;
    how.needed = needed();
    how.keep = how.needed->retention_of(how.metadata.id, lsn::max());
    return must(timeline_store::open(std::move(how)));
  }
  std::shared_ptr<const needed_states> needed() const {
    return std::make_shared<const needed_states>(all_.metadata(), points_);
  }
  closed_timeline timeline(const retention_window& window,
                           const retention_window& wal_window = everything) const {
    return {all_.metadata().front(), since_, lsn{}, window, wal_window, needed()};
  }
  closed_survey survey(const closed_timeline& what, timestamp now) {
    all_.restart();
    const auto stored = must(layers::read_manifest(files_, all_.directory_of(0)));
    return must(survey_closed(*all_.registry(), all_.directory_of(0), what, stored, now));
  }
  timestamp newest() const { return timestamp{times_.back()}; }
  timestamp after(int64_t us) const { return timestamp{times_.back() + us}; }

  memory_file_system files_;
  golden_history_judge judge_;
  golden_timelines all_{files_, judge_};
  std::vector<needed_point> points_;
  std::vector<int64_t> times_;  // of transactions' ends, each larger than all before
  timestamp since_{0};
};

class closed_heap : public closed {
 protected:
  closed_heap() : closed("heap") {}
};

TEST_F(closed, says_the_horizon_that_it_has_when_it_is_open) {
  const auto store = open();
  const uint64_t length = static_cast<uint64_t>(times_.back() - times_.front());
  for (const retention_window& window : {retention_window{0, 0},
                                         {0, 100'000},
                                         {length / 2, 0},
                                         {length / 2, 300'000},
                                         {1, 0},
                                         {length, 0},
                                         {length * 10, 0},
                                         everything}) {
    for (const int64_t now : {times_.front(), times_[times_.size() / 2], times_.back(),
                              times_.back() + static_cast<int64_t>(length)}) {
      const lsn open_horizon = must(store->horizon(window, timestamp{now}));
      EXPECT_EQ(survey(timeline(window), timestamp{now}).horizon, open_horizon)
          << window.time_us << " " << window.wal_bytes << " " << now;
    }
  }
}

TEST_F(closed, says_of_its_wal_what_goes_once_it_is_open) {
  const uint64_t length = static_cast<uint64_t>(times_.back() - times_.front());
  uint64_t all = 0;
  for (const retention_window& window : {everything,
                                         retention_window{length / 2, 0},
                                         retention_window{0, uint64_t{1} << 20},
                                         {0, 0},
                                         {0, 0}}) {
    const auto found = survey(timeline(everything, window), newest()).wal;
    const auto expected = must(open()->trim_wal(window, newest()));
    EXPECT_EQ(found.files, expected.files);
    EXPECT_EQ(found.bytes, expected.bytes);
    EXPECT_EQ(found.bytes_kept, expected.bytes_kept);
    EXPECT_EQ(found.why, expected.why);
    all += found.files;
  }
  EXPECT_GT(all, 1u);
  const auto later = survey(timeline(everything, {0, 0}), newest());
  EXPECT_EQ(later.wal.files, 0u);
  EXPECT_FALSE(later.is_worth_opening());
  EXPECT_EQ(later.next, std::nullopt);
}

// As time passes: nothing, until the moment that was told; then something, until it was done.
TEST_F(closed, says_when_time_makes_more_collectable) {
  const uint64_t length = static_cast<uint64_t>(times_.back() - times_.front()) + 1'000'000;
  const auto what = timeline({length, 0}, {2 * length, 0});
  timestamp now = newest();
  int steps = 0;
  for (;; ++steps) {
    ASSERT_LT(steps, 100);
    const auto found = survey(what, now);
    if (!found.is_worth_opening()) {
      if (!found.next) break;
      ASSERT_GT(*found.next, now);
      EXPECT_FALSE(survey(what, timestamp{found.next->microseconds() - 1}).is_worth_opening());
      now = *found.next;
      continue;
    }
    EXPECT_EQ(found.next, std::nullopt);
    const auto store = open();
    must(store->retain(
        needed()->retention_of(what.metadata.id, must(store->horizon(what.window, now))),
        needed()));
    EXPECT_EQ(store->oldest(), found.horizon);
    testing::settle(*store, /*collect=*/true);
    const auto trimmed = must(store->trim_wal(what.wal_window, now));
    EXPECT_EQ(trimmed.files, found.wal.files);
    const auto left = survey(what, now);
    EXPECT_FALSE(left.is_worth_opening()) << left.layer_bytes;
  }
  EXPECT_GT(steps, 4);
  EXPECT_EQ(survey(what, after(INT64_C(1) << 50)).next, std::nullopt);
}

TEST_F(closed, has_nothing_to_collect_while_a_name_cannot_be_read_or_all_is_kept) {
  EXPECT_GT(survey(timeline({0, 0}, {0, 0}), newest()).layer_bytes, 0u);
  const auto kept = survey(timeline(everything), newest());
  EXPECT_FALSE(kept.is_worth_opening());
  EXPECT_EQ(kept.next, std::nullopt);
  EXPECT_EQ(kept.horizon, lsn{});
}

TEST_F(closed, counts_what_comes_after_its_layers_as_kept) {
  {
    const auto store = open();
    must(store->begin_stream());
  }
  // As after a crash: an older manifest, and WAL from there on.
  const auto before = must(layers::read_manifest(files_, all_.directory_of(0)));
  layers::manifest older = before;
  const uint64_t segment = all_.metadata().front().segment_size_bytes;
  older.disk_consistent = judge_.end_at_or_before(lsn{before.disk_consistent.value() - segment});
  older.last_record = judge_.previous_of(older.disk_consistent);
  const auto found = must(survey_closed(*all_.registry(), all_.directory_of(0),
                                        timeline({0, 0}, {0, 0}), older, newest()));
  EXPECT_EQ(found.horizon, older.disk_consistent);
  EXPECT_GT(found.unwritten_segments, 0u);
  EXPECT_TRUE(found.is_worth_opening());
  auto known = timeline({0, 0}, {0, 0});
  known.end = before.disk_consistent;
  const auto same =
      must(survey_closed(*all_.registry(), all_.directory_of(0), known, older, newest()));
  EXPECT_EQ(same.horizon, older.disk_consistent);
  EXPECT_EQ(same.wal.bytes_kept - found.wal.bytes_kept,
            before.disk_consistent - older.disk_consistent);
}

TEST_F(closed_heap, tells_about_what_merges_then_free) {
  const auto found = survey(timeline({0, 0}), newest());
  const auto store = open();
  must(store->retain(needed()->retention_of(store->metadata().id, found.horizon), needed()));
  const uint64_t before = store->layers().map().size_bytes();
  testing::settle(*store, /*collect=*/true);
  const uint64_t freed = before - store->layers().map().size_bytes();
  fmt::print("{} of {} bytes were told, {} went\n", found.layer_bytes, before, freed);
  EXPECT_GT(found.layer_bytes, 0u);
  EXPECT_LE(found.layer_bytes, 4 * freed);
  EXPECT_GE(found.layer_bytes, freed / 4);
  const auto left = survey(timeline({0, 0}), newest());
  EXPECT_EQ(left.layer_bytes, 0u);
}

}  // namespace
}  // namespace zenith::repository
