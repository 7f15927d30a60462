// A timeline whose layers are frozen, written and merged all the time reads as one in memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"
#include "tests/support/test_level.hpp"

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

const golden_history_judge& judge_of(const std::string& scenario) {
  static std::map<std::string, std::unique_ptr<golden_history_judge>> made;
  auto& judge = made[scenario];
  if (!judge) judge = std::make_unique<golden_history_judge>(scenario);
  return *judge;
}

class layered_timeline {
 public:
  explicit layered_timeline(const std::string& scenario)
      : judge_(judge_of(scenario)), all_(files_, judge_) {}

  void open() {
    store_.reset();
    all_.restart();
    store_ = must(timeline_store::open(all_.parameters(0)));
    streams_ = false;
  }
  /// WAL that follows, so many bytes of it; gives whether there is more.
  result<bool> feed(uint64_t bytes) {
    if (!streams_) {
      ZENITH_TRY_ASSIGN(next_, store_->begin_stream());
      streams_ = true;
    }
    const lsn until = std::min(next_ + bytes, judge_.scenario().end);
    ZENITH_TRY(store_->append(next_, judge_.scenario().wal_from(next_).first(until - next_)));
    next_ = until;
    return until < judge_.scenario().end;
  }
  void expect_right(std::mt19937_64& random, int reads) const {
    judge_.expect_same(*store_->view(), random, reads);
  }

  memory_file_system& files() { return files_; }
  timeline_store& store() { return *store_; }
  const golden_history_judge& judge() const { return judge_; }
  golden_timelines& all() { return all_; }

 private:
  memory_file_system files_;
  const golden_history_judge& judge_;
  golden_timelines all_;
  std::unique_ptr<timeline_store> store_;
  bool streams_ = false;
  lsn next_;
};

class layered : public ::testing::TestWithParam<std::string> {
 protected:
  layered() {
    fmt::print("seed {}\n", zenith::testing::test_seed());
    timeline_.open();
  }
  layered_timeline timeline_{GetParam()};
  std::mt19937_64 random_{zenith::testing::test_seed()};
};

INSTANTIATE_TEST_SUITE_P(scenarios, layered, ::testing::Values("databases", "heap", "transactions"),
                         [](const auto& which) { return which.param; });

TEST_P(layered, reads_as_in_memory_while_layers_are_written_and_merged) {
  for (bool more = true; more;) {
    more = must(timeline_.feed(1 + random_() % 60'000));
    if (timeline_.store().layers().is_full()) must(timeline_.store().freeze());
    if (random_() % 2 == 0) zenith::testing::write_one_layer(timeline_.store());
    if (random_() % 2 == 0) zenith::testing::merge_one(timeline_.store(), false);
    ASSERT_NO_FATAL_FAILURE(timeline_.expect_right(random_, 20));
  }
  zenith::testing::settle(timeline_.store());
  EXPECT_EQ(timeline_.store().layers().disk_consistent().at, timeline_.store().end());
  EXPECT_GT(timeline_.store().layers().map().slices(), 2u);
  timeline_.judge().expect_stops(*timeline_.store().view());
  timeline_.open();
  EXPECT_EQ(timeline_.store().end(), timeline_.judge().scenario().end);
  timeline_.judge().expect_stops(*timeline_.store().view());
  timeline_.expect_right(random_, 3000);
}

TEST_P(layered, with_more_wal_than_one_layer_opens_where_none_can_be_written) {
  const auto& layers = timeline_.store().layers();
  while (layers.open_bytes() < 2 * timeline_.all().limits.open_layer_bytes)
    if (!must(timeline_.feed(2000))) break;
  const lsn end = must(timeline_.store().sync());
  bool was_seen = false;
  for (uint64_t operation = 0; operation < 8; ++operation) {
    auto& files = timeline_.files();
    files.fail_at(files.operations() + operation, memory_file_system::fault::no_space, 1000);
    timeline_.all().restart();
    const auto opened = timeline_store::open(timeline_.all().parameters(0));
    if (opened && (*opened)->layers().frozen_bytes() != 0) {
      was_seen = true;
      EXPECT_EQ((*opened)->end(), end);
      timeline_.judge().expect_same(*(*opened)->view(), random_, 200);
    }
    files.power_cut();
  }
  EXPECT_TRUE(was_seen);
  timeline_.open();
  EXPECT_EQ(timeline_.store().end(), end);
}

TEST_P(layered, reopened_at_every_step_of_a_layer_is_the_same) {
  const uint64_t all = timeline_.judge().scenario().end - timeline_.judge().scenario().start;
  const auto reopened = [&] {
    timeline_.open();
    timeline_.expect_right(random_, 30);
  };
  for (bool more = true; more && !HasFatalFailure();) {
    more = must(timeline_.feed(all / 40 + random_() % (all / 40)));
    lsn end = must(timeline_.store().sync());
    reopened();
    // What was cut off a record may have been zeros, which its file has.
    EXPECT_GE(timeline_.store().end(), end);
    end = timeline_.store().end();
    must(timeline_.store().freeze());
    timeline_.expect_right(random_, 30);
    if (random_() % 2 == 0) {
      reopened();
      must(timeline_.store().freeze());
    }
    auto& layers = timeline_.store().layers();
    if (const auto job = layers.next_write()) {
      const auto written = must(job->run());
      if (random_() % 3 == 0) {
        reopened();  // what was written comes to nothing
      } else {
        must(layers.install(*job, written));
        timeline_.store().layers_changed();
      }
    }
    if (random_() % 2 == 0) reopened();
    zenith::testing::merge_one(timeline_.store(), false);
    reopened();
    EXPECT_EQ(timeline_.store().end(), end);
  }
  timeline_.judge().expect_stops(*timeline_.store().view());
}

/// How many records of a page a read finds in these layers until one of them needs nothing older.
size_t records_of(std::span<const layers::layer_reference> from, const key& k, lsn at) {
  layers::key_history found;
  for (const layers::layer_reference& one : from) {
    if (found.state != layers::key_history::state_kind::open) break;
    must(one.data->collect(k, one.after, std::min(one.until, at), found));
  }
  return found.records.size();
}

std::vector<key> some_pages(const layers::view& of, size_t count, std::mt19937_64& random) {
  const key last = key::size({~0u, ~0u, ~0u}, fork_number::init);
  std::vector<key> pages;
  for (const key& size : must(of.keys({key_kind::relation_size}, last, of.until()))) {
    const auto fork = must(of.relation(size.relation(), size.relation_fork(), of.until()));
    for (block_number block = 0; block < fork->blocks(); ++block)
      pages.push_back(key::block(size.relation(), size.relation_fork(), block));
  }
  std::shuffle(pages.begin(), pages.end(), random);
  pages.resize(std::min(pages.size(), count));
  return pages;
}

// What bounds a read: of each merged level, one record less than would become a page there; of the
// open layer, the frozen ones and level 0 what the WAL brought since.
TEST_P(layered, a_read_finds_no_more_records_of_a_page_than_levels_allow) {
  constexpr size_t pages_each_time = 100;
  const unsigned in_a_level = timeline_.all().limits.records_per_page_max - 1;
  size_t merged_away = 0;
  const auto expect_bounded = [&] {
    const lsn end = timeline_.store().end();
    const auto& store = timeline_.store().layers();
    const auto all = store.layers(end);
    const auto levels = std::span(store.map().levels()).subspan(1);
    const auto merged = static_cast<size_t>(
        std::ranges::count_if(levels, [](const auto& level) { return !level.empty(); }));
    const std::span above(all.data(), all.size() - merged);
    for (const key& k : some_pages(*timeline_.store().view(), pages_each_time, random_)) {
      for (const lsn at :
           {end, timeline_.judge().random_end(random_, timeline_.store().oldest(), end)}) {
        size_t allowed = in_a_level * merged;
        for (const layers::layer_reference& one : above) allowed += records_of({&one, 1}, k, at);
        ASSERT_LE(records_of(all, k, at), allowed) << to_string(k) << " as of " << to_string(at);
      }
      layers::key_history whole;
      must(timeline_.judge().reference().collect(k, lsn{}, end, whole));
      merged_away += whole.records.size() - std::min(whole.records.size(), records_of(all, k, end));
    }
  };
  const uint64_t all = timeline_.judge().scenario().end - timeline_.judge().scenario().start;
  for (bool more = true; more && !HasFatalFailure();) {
    more = must(timeline_.feed(all / 12 + random_() % (all / 12)));
    if (random_() % 2 == 0 || !more) zenith::testing::settle(timeline_.store());
    expect_bounded();
  }
  EXPECT_GT(merged_away, 0u);
}

TEST_P(layered, after_a_power_cut_anywhere_no_manifest_is_ahead_of_the_wal) {
  const int rounds = zenith::testing::full_test_level() ? 300 : 30;
  const uint64_t all = timeline_.judge().scenario().end - timeline_.judge().scenario().start;
  for (int round = 0; round < rounds; ++round) {
    const uint64_t fault_at = timeline_.files().operations() + random_() % 60;
    timeline_.files().fail_at(fault_at, memory_file_system::fault::power);
    lsn durable = timeline_.store().durable();
    const auto work = [&]() -> result<void> {
      for (;;) {
        ZENITH_TRY_ASSIGN(const bool more, timeline_.feed(1 + random_() % (2 * all / rounds)));
        if (random_() % 3 == 0) {
          ZENITH_TRY_ASSIGN(durable, timeline_.store().sync());
        }
        ZENITH_TRY(timeline_.store().freeze());
        durable = std::max(durable, timeline_.store().durable());
        auto& layers = timeline_.store().layers();
        EXPECT_LE(layers.disk_consistent().at, durable);
        if (const auto job = layers.next_write()) {
          ZENITH_TRY_ASSIGN(const auto written, job->run());
          ZENITH_TRY(layers.install(*job, written));
          timeline_.store().layers_changed();
        }
        ZENITH_TRY_ASSIGN(const auto job, layers.next_merge({}, false));
        if (job) {
          ZENITH_TRY_ASSIGN(const auto written, job->run([] { return false; }));
          ZENITH_TRY(layers.install(*job, written));
          timeline_.store().layers_changed();
        }
        if (!more) return {};
      }
    };
    const auto done = work();
    const lsn consistent = timeline_.store().layers().disk_consistent().at;
    timeline_.files().power_cut_keeping_some(random_());
    if (random_() % 2 == 0) timeline_.files().power_cut();
    timeline_.open();
    EXPECT_GE(timeline_.store().end(), durable);
    EXPECT_GE(timeline_.store().layers().disk_consistent().at, consistent);
    ASSERT_NO_FATAL_FAILURE(timeline_.expect_right(random_, 100));
    if (done) break;
  }
  while (must(timeline_.feed(100'000))) {
  }
  timeline_.judge().expect_stops(*timeline_.store().view());
}

}  // namespace
}  // namespace zenith::repository
