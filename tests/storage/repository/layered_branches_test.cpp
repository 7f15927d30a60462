// Trees of timelines that share layer files: whoever writes, merges, sweeps, closes or crashes,
// what each one reads stays right.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/layers/manifest.hpp"
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

/// A repository with a tree of timelines, some of them open, driven at random.
class tree {
 public:
  tree(const golden_history_judge& judge, uint64_t seed)
      : judge_(judge), all_(files_, judge), random_(seed), stores_(1), merged_to_(1) {
    open(0);
  }

  std::mt19937_64& random() { return random_; }
  size_t size() const { return stores_.size(); }
  bool is_open(size_t number) const { return stores_[number] != nullptr; }
  timeline_store& store(size_t number) { return *stores_[number]; }
  size_t any() { return random_() % size(); }

  /// Opens it, and whatever it needs its base from.
  timeline_store& open(size_t number) {
    if (stores_[number]) return *stores_[number];
    auto how = all_.parameters(number);
    if (how.metadata.ancestor) {
      timeline_store& parent = open(parent_of(number));
      how.parent = must(parent.base_at(how.metadata.start));
    }
    how.keep = kept(number);
    stores_[number] = must(timeline_store::open(std::move(how)));
    return *stores_[number];
  }
  void close(size_t number) {
    if (stores_[number]) must(stores_[number]->sync());
    stores_[number].reset();
  }
  void add_child(size_t parent) {
    timeline_store& from = open(parent);
    const lsn durable = must(from.sync());
    const lsn oldest = std::max(from.oldest(), from.metadata().start);
    const lsn start = judge_.random_end(random_, oldest, durable);
    if (start < oldest) return;
    all_.add_child(parent, start);
    stores_.emplace_back();
    merged_to_.emplace_back();
  }
  void feed(size_t number, uint64_t bytes) {
    timeline_store& store = open(number);
    const lsn from = must(store.begin_stream());
    const lsn until = std::min(from + bytes, judge_.scenario().end);
    must(store.append(from, judge_.scenario().wal_from(from).first(until - from)));
  }
  /// What of it can be written now is.
  void write(size_t number) {
    timeline_store& store = open(number);
    must(store.freeze());
    if (store.layers().waits_for_parent()) {
      write(parent_of(number));
      store.inherit(*must(open(parent_of(number)).base_at(store.metadata().start)));
      // An ancestor further up may have had to be written first.
      EXPECT_FALSE(store.layers().waits_for_parent());
    }
    while (zenith::testing::write_one_layer(store)) {
    }
  }
  void merge(size_t number, bool collect) {
    timeline_store& store = open(number);
    if (collect) must(store.retain(kept(number)));
    while (zenith::testing::merge_one(store, collect)) {
    }
  }
  /// From now on older states may go, but for those that children need.
  void raise_horizon(size_t number, lsn to) {
    merged_to_[number] = std::max(merged_to_[number], to);
  }
  layers::retention kept(size_t number) const {
    return needed_states(all_.metadata(), {})
        .retention_of(all_.metadata()[number].id, merged_to_[number]);
  }

  /// Removes what no manifest names and nobody holds.
  size_t sweep() {
    all_.registry()->begin_sweep();
    std::set<layers::layer_name> named;
    const auto add = [&](const layers::layer_map& map) {
      for (const auto& level : map.levels())
        for (const layers::layer_slice& slice : level) named.insert(slice.file.name);
    };
    for (size_t i = 0; i < size(); ++i) {
      if (const auto there = layers::read_manifest(files_, all_.directory_of(i))) add(there->map);
      if (stores_[i]) add(stores_[i]->layers().map());
    }
    named.merge(all_.registry()->end_sweep());
    size_t removed = 0;
    for (size_t i = 0; i < size(); ++i) {
      std::set<std::string> stay{"base.image"};
      for (const layers::layer_name& name : named)
        if (name.timeline == all_.metadata()[i].id) stay.insert(file_name_of(name));
      const path folder = all_.directory_of(i) / "layers";
      const auto entries = files_.list(folder);
      if (!entries) continue;
      for (const directory_entry& entry : *entries) {
        if (stay.contains(entry.name)) continue;
        must(files_.remove(folder / entry.name));
        ++removed;
      }
    }
    return removed;
  }

  void restart() {
    for (auto& store : stores_) store.reset();
    files_.power_cut_keeping_some(random_());
    all_.restart();
  }
  void expect_right(size_t number, int reads) {
    timeline_store& store = open(number);
    judge_.expect_same(*store.view(), random_, reads);
    const lsn start = store.metadata().start;
    if (store.oldest() <= start) judge_.expect_same(*must(store.view_at(start)), random_, 3);
  }
  void expect_stops(size_t number) { judge_.expect_stops(*open(number).view()); }

 private:
  size_t parent_of(size_t number) const {
    const timeline_id id = all_.metadata()[number].ancestor->timeline;
    const auto& all = all_.metadata();
    return static_cast<size_t>(std::ranges::find(all, id, &timeline_metadata::id) - all.begin());
  }

  memory_file_system files_;
  const golden_history_judge& judge_;
  golden_timelines all_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<timeline_store>> stores_;
  std::vector<lsn> merged_to_;
};

const golden_history_judge& judge() {
  static const golden_history_judge made("databases");
  return made;
}

uint64_t whole() { return judge().scenario().end - judge().scenario().start; }

TEST(branches_in_layers, of_a_parent_that_is_merged_and_swept_stay_right_open_or_closed) {
  tree tree(judge(), zenith::testing::test_seed());
  tree.feed(0, whole() / 2);
  tree.write(0);
  for (int i = 0; i < 3; ++i) tree.add_child(0);
  tree.open(1);
  tree.feed(2, whole() / 8);
  tree.write(2);
  tree.close(2);
  for (int i = 0; i < 4; ++i) {
    tree.feed(0, whole() / 8);
    tree.write(0);
  }
  // All that no child needs goes: 1 is open and untouched, 2 has a manifest, 3 is closed and
  // untouched.
  tree.raise_horizon(0, tree.store(0).end());
  tree.merge(0, true);
  EXPECT_GT(tree.sweep(), 0u);
  for (const size_t child : {1, 2, 3, 0}) tree.expect_right(child, 300);
  tree.restart();
  for (const size_t child : {3, 1, 2, 0}) tree.expect_right(child, 300);
  for (const size_t child : {1, 2, 3}) {
    tree.feed(child, whole());
    tree.write(child);
    tree.merge(child, false);
    tree.expect_stops(child);
  }
}

TEST(branches_in_layers, that_are_driven_at_random_read_as_one_history_in_memory) {
  const uint64_t seeds = zenith::testing::full_test_level() ? 40 : 6;
  for (uint64_t seed = 0; seed < seeds && !::testing::Test::HasFailure(); ++seed) {
    const uint64_t from = zenith::testing::test_seed() * 1000 + seed;
    fmt::print("seed {}\n", from);
    SCOPED_TRACE(from);
    tree tree(judge(), from);
    auto& random = tree.random();
    for (int step = 0; step < 150 && !::testing::Test::HasFailure(); ++step) {
      const size_t on = tree.any();
      switch (random() % 10) {
        case 0:
          if (tree.size() < 12) tree.add_child(on);
          break;
        case 1:
        case 2:
          tree.feed(on, 1 + random() % (whole() / 8));
          break;
        case 3:
          must(tree.open(on).freeze());
          break;
        case 4:
          tree.write(on);
          break;
        case 5:
          tree.merge(on, false);
          break;
        case 6: {
          const timeline_store& store = tree.open(on);
          tree.raise_horizon(on, judge().random_end(random, store.metadata().start, store.end()));
          tree.merge(on, true);
          break;
        }
        case 7:
          tree.close(on);
          break;
        case 8:
          tree.sweep();
          break;
        case 9:
          if (random() % 3 == 0) tree.restart();
          break;
      }
      tree.expect_right(tree.any(), 10);
    }
    for (size_t i = 0; i < tree.size(); ++i) tree.expect_right(i, 100);
  }
}

}  // namespace
}  // namespace zenith::repository
