// Points by time: found by what layers remember of transaction ends, as the WAL itself has them.
#include <gtest/gtest.h>

#include "storage/layers/transaction_times.hpp"
#include "storage/postgres/record.hpp"
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

const timestamp now{INT64_MAX};

class times : public ::testing::Test {
 protected:
  void open(size_t number, std::shared_ptr<const branch_base> parent = nullptr) {
    auto how = all_.parameters(number);
    how.parent = std::move(parent);
    // Of golden timelines nobody knows when they were made.
    how.metadata.created_at = timestamp{0};
    store_ = must(timeline_store::open(std::move(how)));
  }
  void feed(lsn until) {
    const lsn from = must(store_->begin_stream());
    must(store_->append(from, judge_.scenario().wal_from(from).first(until - from)));
    must(store_->sync());
  }
  std::vector<layers::transaction_end> ends() const {
    std::vector<layers::transaction_end> all;
    for (int64_t time = 0;;) {
      const auto one = must(layers::first_later_than(store_->layers().layers(store_->end()), time));
      if (!one) return all;
      all.push_back(*one);
      time = one->time_us;
    }
  }
  /// Each time gives the end of the record before it, and that record's start.
  void expect_points() const {
    const auto all = ends();
    ASSERT_GT(all.size(), 20u);
    for (const layers::transaction_end& one : all) {
      const auto found = store_->find({point_kind::time, {}, timestamp{one.time_us - 1}}, now);
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_EQ(found->at, without_page_header(one.start, segment_size_));
      EXPECT_EQ(found->previous, judge_.previous_of(judge_.end_at_or_before(one.start)));
      EXPECT_FALSE(found->moved);
    }
  }
  void lose_wal(size_t number) {
    const path folder = all_.directory_of(number) / "wal";
    for (const auto& one : must(files_.list(folder))) must(files_.remove(folder / one.name));
  }

  memory_file_system files_;
  golden_history_judge judge_{"transactions"};
  golden_timelines all_{files_, judge_};
  const uint32_t segment_size_ = all_.metadata().front().segment_size_bytes;
  std::unique_ptr<timeline_store> store_;
};

TEST_F(times, resolve_to_the_record_before_in_memory_and_in_files) {
  open(0);
  feed(judge_.scenario().end);
  expect_points();
  testing::settle(*store_);
  expect_points();
}

TEST_F(times, resolve_without_reading_wal) {
  open(0);
  feed(judge_.scenario().end);
  testing::settle(*store_);
  lose_wal(0);
  expect_points();
}

TEST_F(times, of_an_ancestor_resolve_on_a_child_without_reading_wal) {
  open(0);
  const lsn middle = judge_.end_at_or_before(judge_.scenario().start +
                                             (judge_.scenario().end - judge_.scenario().start) / 2);
  feed(middle);
  testing::settle(*store_);
  all_.add_child(0, middle);
  const auto base = must(store_->base_at(middle));
  open(1, base);
  feed(judge_.scenario().end);
  expect_points();
  testing::settle(*store_);
  lose_wal(0);
  lose_wal(1);
  expect_points();
}

}  // namespace
}  // namespace zenith::repository
