// The sweeper: what nothing names goes, unless something cannot be read or may come to be named.
#include "actors/sweep.hpp"

#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "storage/layers/manifest.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/actors/stand_in_supervisor.hpp"
#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::actors {
namespace {

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

class sweeping : public ::testing::Test {
 protected:
  // Merges leave the files that they have merged behind.
  sweeping() {
    auto store = must(repository::timeline_store::open(all_.parameters(0)));
    lsn from = must(store->begin_stream());
    const uint64_t piece = (judge_.scenario().end - from) / 8;
    while (from < judge_.scenario().end) {
      const uint64_t size = std::min(piece, judge_.scenario().end - from);
      must(store->append(from, judge_.scenario().wal_from(from).first(size)));
      testing::settle(*store);
      from = from + size;
    }
  }
  size_t layer_files() { return must(files_.list(all_.directory_of(0) / "layers")).size(); }
  result<gc_reply> sweep() {
    deterministic actors;
    const auto supervisor = actors.spawn(
        supervisor_that_lets_go, [](const std::string&) {},
        [](const timeline_status&) { return false; });
    sweep_parameters how;
    how.files = &files_;
    how.registry = all_.registry();
    how.directory = all_.directory_of(0).parent_path();
    for (const auto& one : all_.metadata()) how.timelines.push_back(one.id);
    how.registry->begin_sweep();
    const auto worker = actors.spawn(sweeper, how, supervisor);
    const auto answer = actors.ask<gc_reply>(worker, run_atom::value);
    actors.settle();
    return answer->value();
  }

  testing::memory_file_system files_;
  testing::golden_history_judge judge_{"heap"};
  testing::golden_timelines all_{files_, judge_};
};

TEST_F(sweeping, removes_what_merges_left_behind) {
  all_.restart();
  const size_t before = layer_files();
  const auto done = must(sweep());
  EXPECT_GT(done.removed_files, 0u);
  EXPECT_EQ(layer_files(), before - done.removed_files);
  auto store = must(repository::timeline_store::open(all_.parameters(0)));
  judge_.expect_stops(*store->view());
}

TEST_F(sweeping, removes_only_what_the_manifest_on_the_disk_does_not_name) {
  all_.restart();
  const path manifest = all_.directory_of(0) / layers::manifest_name;
  const bytes newest = must(read_file(files_, manifest));
  // As a node that was killed leaves it: renamed, but its folder was not synced.
  must(write_file_durably(files_, manifest, as_bytes("the one before")));
  const path renamed = all_.directory_of(0) / "renamed";
  must(write_file_durably(files_, renamed, newest));
  must(files_.rename(renamed, manifest));
  EXPECT_GT(must(sweep()).removed_files, 0u);
  files_.power_cut();
  EXPECT_EQ(must(read_file(files_, manifest)), newest);
}

TEST_F(sweeping, removes_nothing_while_any_manifest_cannot_be_read) {
  all_.restart();
  const size_t before = layer_files();
  all_.add_child(0, judge_.end_at_or_before(judge_.scenario().start + 100'000));
  const path manifest = all_.directory_of(1) / layers::manifest_name;
  must(write_file_durably(files_, manifest, as_bytes("damaged")));
  const auto done = sweep();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find(manifest.string()), std::string::npos)
      << done.error().message;
  EXPECT_EQ(layer_files(), before);
  must(files_.remove(manifest));
  EXPECT_GT(must(sweep()).removed_files, 0u);
}

}  // namespace
}  // namespace zenith::actors
