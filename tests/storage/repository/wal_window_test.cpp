// WAL that goes: what is removed, what stays, and what can still be started without it.
#include <gtest/gtest.h>

#include "storage/backup/tar_sink.hpp"
#include "storage/backup/wal_seam.hpp"
#include "storage/layers/transaction_times.hpp"
#include "storage/repository/stored_end.hpp"
#include "storage/wal/removed_wal.hpp"
#include "storage/wal/stored_wal.hpp"
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
constexpr uint64_t segment_size = uint64_t{1} << 20;
/// No WAL but what is needed.
const retention_window nothing{0, 0};

class wal_window : public ::testing::Test {
 protected:
  wal_window() {
    open();
    feed(judge_.scenario().end);
  }
  void open(std::vector<needed_point> points = {}) {
    store_.reset();
    all_.restart();
    auto how = all_.parameters(0);
    how.metadata.created_at = timestamp{0};
    how.needed = std::make_shared<const needed_states>(all_.metadata(), points);
    how.keep = how.needed->retention_of(how.metadata.id, lsn::max());
    store_ = must(timeline_store::open(std::move(how)));
  }
  void feed(lsn until) {
    const lsn from = must(store_->begin_stream());
    if (from >= until) return;
    must(store_->append(from, judge_.scenario().wal_from(from).first(until - from)));
    must(store_->sync());
  }
  void need(std::vector<needed_point> points) {
    const auto needed = std::make_shared<const needed_states>(all_.metadata(), points);
    must(store_->retain(needed->retention_of(all_.metadata().front().id, lsn{}), needed));
  }
  size_t segments() {
    size_t count = 0;
    for (const auto& one : must(files_.list(folder_)))
      if (one.name != wal::removed_file_name) ++count;
    return count;
  }
  lsn kept_from() { return must(wal::read_removed(files_, folder_)); }
  std::vector<layers::transaction_end> ends() const {
    std::vector<layers::transaction_end> all;
    for (lsn from{1};;) {
      const auto one = must(layers::first_end_from(store_->layers().layers(store_->end()), from));
      if (!one) return all;
      all.push_back(*one);
      from = one->end + 1;
    }
  }
  layers::transaction_end last_end_without_wal() {
    const auto all = ends();
    const auto kept = std::ranges::lower_bound(all, kept_from(), {}, &layers::transaction_end::end);
    if (kept == all.begin()) throw std::runtime_error("no transaction ended before what is kept");
    return *std::prev(kept);
  }
  result<point_found> at(lsn position) const {
    return store_->find({point_kind::position, position, {}}, now);
  }

  memory_file_system files_;
  golden_history_judge judge_{"databases"};
  golden_timelines all_{files_, judge_};
  const path folder_ = all_.directory_of(0) / "wal";
  std::unique_ptr<timeline_store> store_;
};

TEST_F(wal_window, removes_no_segment_that_layers_do_not_have_yet) {
  ASSERT_GT(segments(), 2u);
  const auto trimmed = must(store_->trim_wal(nothing, now));
  EXPECT_EQ(trimmed.files, 0u);
  EXPECT_NE(trimmed.why.find("not in layer files yet"), std::string::npos) << trimmed.why;
}

TEST_F(wal_window, keeps_what_it_is_asked_to_keep) {
  testing::settle(*store_);
  const size_t before = segments();
  EXPECT_EQ(must(store_->trim_wal({0, retention_window::unlimited}, now)).files, 0u);
  EXPECT_EQ(must(store_->trim_wal({0, store_->end().value() - 1}, now)).files, 0u);
  const auto trimmed = must(store_->trim_wal({0, segment_size}, now));
  EXPECT_GT(trimmed.files, 0u);
  EXPECT_EQ(trimmed.bytes, trimmed.files * segment_size);
  EXPECT_EQ(segments(), before - trimmed.files);
  EXPECT_LE(kept_from(), store_->end() - segment_size);
  EXPECT_EQ(trimmed.bytes_kept, store_->end() - kept_from());
}

TEST_F(wal_window, a_timeline_without_its_old_wal_opens_reads_and_goes_on) {
  const lsn middle = judge_.end_at_or_before(judge_.scenario().start +
                                             (judge_.scenario().end - judge_.scenario().start) / 2);
  store_.reset();
  // Anew, so that half of it comes after the rest has gone.
  memory_file_system files;
  golden_timelines all(files, judge_);
  auto how = all.parameters(0);
  how.needed = std::make_shared<const needed_states>(all.metadata(), std::vector<needed_point>{});
  auto store = must(timeline_store::open(how));
  lsn from = must(store->begin_stream());
  must(store->append(from, judge_.scenario().wal_from(from).first(middle - from)));
  testing::settle(*store);
  EXPECT_GT(must(store->trim_wal(nothing, now)).files, 0u);
  store.reset();
  EXPECT_EQ(must(stored_end(files, all.directory_of(0), all.metadata().front())), middle);
  all.restart();
  how = all.parameters(0);
  how.needed = std::make_shared<const needed_states>(all.metadata(), std::vector<needed_point>{});
  store = must(timeline_store::open(how));
  EXPECT_EQ(store->end(), middle);
  EXPECT_EQ(must(store->find({}, now)).previous, judge_.previous_of(middle));
  from = must(store->begin_stream());
  must(store->append(from, judge_.scenario().wal_from(from).first(judge_.scenario().end - from)));
  must(store->sync());
  judge_.expect_stops(*store->view());
}

TEST_F(wal_window, each_transactions_end_is_a_point_without_its_wal) {
  testing::settle(*store_);
  std::vector<point_found> before;
  std::vector<point_found> after;
  const auto all = ends();
  ASSERT_GT(all.size(), 10u);
  for (const auto& one : all) {
    before.push_back(must(at(without_page_header(one.start, segment_size))));
    after.push_back(must(at(one.end)));
  }
  ASSERT_GT(must(store_->trim_wal(nothing, now)).files, 0u);
  open();
  for (size_t i = 0; i < all.size(); ++i) {
    const auto b = must(at(without_page_header(all[i].start, segment_size)));
    const auto a = must(at(all[i].end));
    EXPECT_EQ(b.at, before[i].at);
    EXPECT_EQ(b.previous, before[i].previous);
    EXPECT_FALSE(b.moved);
    EXPECT_EQ(a.at, after[i].at);
    EXPECT_EQ(a.previous, after[i].previous);
    EXPECT_FALSE(a.moved);
  }
}

// The same transactions have ended, and the answer says so.
TEST_F(wal_window, another_position_moves_to_the_next_transactions_end) {
  testing::settle(*store_);
  ASSERT_GT(must(store_->trim_wal(nothing, now)).files, 0u);
  const auto all = ends();
  for (size_t i = 1; i < all.size() && all[i].end < kept_from(); ++i) {
    const lsn last = without_page_header(all[i - 1].end, segment_size);
    const lsn next = without_page_header(all[i].start, segment_size);
    if (next - last < 40) continue;
    const auto found = must(at(last + 33));
    EXPECT_EQ(found.at, next);
    EXPECT_TRUE(found.moved);
    EXPECT_EQ(must(at(all[i].start + 8)).at, without_page_header(all[i].end, segment_size));
    const auto plan = store_->plan(last + 33, start_purpose::copy);
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find(to_string(next)), std::string::npos)
        << plan.error().message;
  }
}

TEST_F(wal_window, a_tags_point_is_remembered_and_others_stop_there) {
  testing::settle(*store_);
  // Between two transactions' ends.
  const auto all = ends();
  lsn tagged;
  lsn before;
  for (const lsn end : judge_.ends()) {
    if (end > store_->end() - 2 * segment_size) break;
    const bool is_known = std::ranges::any_of(all, [&](const auto& one) {
      return one.end == end || without_page_header(one.start, segment_size) == end;
    });
    if (!is_known && end - judge_.previous_of(end) > 40) tagged = end;
  }
  ASSERT_TRUE(tagged.is_valid());
  before = judge_.previous_of(tagged);
  const std::vector<needed_point> tag{{{all_.metadata().front().id, tagged}, before}};
  need(tag);
  ASSERT_GT(must(store_->trim_wal(nothing, now)).files, 0u);
  ASSERT_LT(tagged, kept_from());
  open(tag);
  const auto found = must(at(tagged));
  EXPECT_EQ(found.previous, before);
  EXPECT_FALSE(found.moved);
  EXPECT_EQ(must(at(tagged - 8)).at, tagged);
  EXPECT_EQ(must(store_->plan(tagged, start_purpose::copy))->previous, before);
}

TEST_F(wal_window, a_tag_that_remembers_nothing_keeps_its_wal) {
  testing::settle(*store_);
  const lsn tagged = judge_.end_at_or_before(store_->end() - 2 * segment_size);
  need({{{all_.metadata().front().id, tagged}}});
  const auto trimmed = must(store_->trim_wal(nothing, now));
  EXPECT_LE(kept_from(), judge_.previous_of(tagged));
  EXPECT_NE(trimmed.why.find("earlier version"), std::string::npos) << trimmed.why;
  EXPECT_EQ(must(at(tagged)).previous, judge_.previous_of(tagged));
}

TEST_F(wal_window, a_server_gets_stand_ins_where_the_segment_is_gone) {
  testing::settle(*store_);
  ASSERT_GT(must(store_->trim_wal(nothing, now)).files, 0u);
  const lsn start = last_end_without_wal().end;
  const auto plan = must(store_->plan(start, start_purpose::copy));
  const backup::wal_seam seam{plan->identity, pg_timeline{2}, start, start, {start, bytes(64)}};
  uint64_t tar_bytes = 0;
  backup::tar_sink sink(
      [&](byte_view data) -> result<void> {
        tar_bytes += data.size();
        return {};
      },
      timestamp{0});
  const auto written = backup::write_wal(seam, plan->wal.get(), sink);
  EXPECT_TRUE(written) << written.error().message;
  EXPECT_GE(tar_bytes, segment_size);
}

TEST_F(wal_window, a_lost_segment_is_not_taken_for_a_removed_one) {
  testing::settle(*store_);
  const lsn lost = store_->end() - 2 * segment_size;
  const lsn gone = judge_.scenario().begin + 8;
  ASSERT_GT(must(store_->trim_wal({0, 2 * segment_size}, now)).files, 0u);
  const auto& root = all_.metadata().front();
  wal::stored_wal::parameters how;
  how.files = &files_;
  how.directory = folder_;
  how.segment_size_bytes = segment_size;
  how.history = {{pg_timeline{1}, lsn{1}}};
  how.begin = root.start_previous_record;
  how.end = store_->end();
  const wal::stored_wal stored(how);
  bytes some(16);
  EXPECT_EQ(stored.read(std::max(gone, how.begin), some).error().code, errc::out_of_range);
  EXPECT_TRUE(stored.read(lost, some));
  for (const auto& one : must(files_.list(folder_)))
    if (one.name != wal::removed_file_name) must(files_.remove(folder_ / one.name));
  EXPECT_EQ(stored.read(lost, some).error().code, errc::not_found);
}

TEST_F(wal_window, after_a_power_cut_anywhere_nothing_needed_is_gone) {
  testing::settle(*store_);
  for (uint64_t cut = 0;; ++cut) {
    memory_file_system files;
    golden_timelines all(files, judge_);
    auto how = all.parameters(0);
    how.needed = std::make_shared<const needed_states>(all.metadata(), std::vector<needed_point>{});
    auto store = must(timeline_store::open(how));
    const lsn from = must(store->begin_stream());
    must(store->append(from, judge_.scenario().wal_from(from).first(judge_.scenario().end - from)));
    testing::settle(*store);
    const path folder = all.directory_of(0) / "wal";
    files.fail_at(files.operations() + cut, memory_file_system::fault::power);
    const auto done = store->trim_wal(nothing, now);
    files.power_cut();
    store.reset();
    all.restart();
    how = all.parameters(0);
    how.needed = std::make_shared<const needed_states>(all.metadata(), std::vector<needed_point>{});
    store = must(timeline_store::open(how));
    EXPECT_EQ(store->end(), judge_.scenario().end) << cut;
    // What is on record as removed is removed, and nothing else.
    const lsn removed = must(wal::read_removed(files, folder));
    size_t left = 0;
    for (const auto& one : must(files.list(folder))) {
      EXPECT_FALSE(one.name.ends_with("~")) << one.name;
      if (one.name != wal::removed_file_name) ++left;
    }
    const lsn kept = std::max(removed, judge_.scenario().begin);
    EXPECT_EQ(left, (store->end() - 1).value() / segment_size - kept.value() / segment_size + 1);
    EXPECT_TRUE(store->find({point_kind::position, store->end() - 64, {}}, now)) << cut;
    EXPECT_TRUE(store->trim_wal(nothing, now));
    if (done) break;
    ASSERT_LT(cut, 200u);
  }
}

TEST_F(wal_window, a_child_of_a_point_whose_wal_is_gone_opens_and_goes_on) {
  testing::settle(*store_);
  ASSERT_GT(must(store_->trim_wal(nothing, now)).files, 0u);
  const auto at_end = last_end_without_wal();
  const lsn start = without_page_header(at_end.end, segment_size);
  all_.add_child(0, start);
  auto how = all_.parameters(1);
  how.parent = must(store_->base_at(start));
  auto child = must(timeline_store::open(how));
  EXPECT_EQ(must(child->find({}, now)).previous, at_end.start);
  const lsn from = must(child->begin_stream());
  must(child->append(from, judge_.scenario().wal_from(from).first(judge_.scenario().end - from)));
  must(child->sync());
  judge_.expect_stops(*child->view());
  // Its own records are found, though its parent's WAL begins later.
  const lsn later = judge_.end_at_or_before(start + 100'000);
  ASSERT_GT(later, start);
  EXPECT_EQ(must(child->find({point_kind::position, later, {}}, now)).previous,
            judge_.previous_of(later));
}

}  // namespace
}  // namespace zenith::repository
