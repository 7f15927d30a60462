// The surveyor: what merges would free of each timeline, and what of it others' manifests hold.
#include "actors/survey.hpp"

#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::actors {
namespace {

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

// A root with layers, and a branch to which nothing was written.
class surveying : public ::testing::Test {
 protected:
  surveying() {
    // The child's merges leave some of the root's files where they are.
    all_.limits.level1_bytes *= 2;
    const lsn middle = judge_.end_at_or_before(
        judge_.scenario().start + (judge_.scenario().end - judge_.scenario().start) / 2);
    const auto root = must(repository::timeline_store::open(all_.parameters(0)));
    feed(*root, middle);
    all_.add_child(0, middle);
  }
  // Pieces of it are merged as they come.
  void feed(repository::timeline_store& store, lsn until) {
    lsn from = must(store.begin_stream());
    const uint64_t piece = (until - from) / 4 + 1;
    while (from < until) {
      const lsn to = std::min(from + piece, until);
      must(store.append(from, judge_.scenario().wal_from(from).first(to - from)));
      testing::settle(store);
      from = to;
    }
  }
  void write_child() {
    const auto root = must(repository::timeline_store::open(all_.parameters(0)));
    auto how = all_.parameters(1);
    how.parent = must(root->base_at(how.metadata.start));
    feed(*must(repository::timeline_store::open(how)), judge_.scenario().end);
  }
  surveyed_timelines survey() {
    all_.restart();
    survey_parameters how;
    how.files = &files_;
    how.registry = all_.registry();
    how.directory = all_.directory_of(0).parent_path();
    const auto needed = std::make_shared<const repository::needed_states>(
        all_.metadata(), std::span<const repository::needed_point>{});
    for (const auto& one : all_.metadata())
      how.timelines.push_back({one, timestamp{0}, lsn{}, {0, 0}, {0, 0}, needed});
    deterministic actors;
    const auto worker =
        actors.spawn(surveyor, how, std::make_shared<const std::atomic<bool>>(false));
    const auto answer = actors.ask<surveyed_ptr>(worker, run_atom::value);
    actors.settle();
    return *must(answer->value());
  }
  const timeline_id& id_of(size_t number) const { return all_.metadata()[number].id; }

  testing::memory_file_system files_;
  testing::golden_history_judge judge_{"heap"};
  testing::golden_timelines all_{files_, judge_};
};

TEST_F(surveying, passes_over_what_was_never_written) {
  const auto found = survey();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GT(found.at(id_of(0))->found.layer_bytes, 0u);
  EXPECT_EQ(found.at(id_of(0))->shared_bytes, 0u);
}

TEST_F(surveying, tells_what_stays_because_others_name_it_too) {
  write_child();
  const auto found = survey();
  ASSERT_EQ(found.size(), 2u);
  const auto& root = found.at(id_of(0)).value();
  EXPECT_GT(root.shared_bytes, 0u);
  EXPECT_LE(root.shared_bytes, root.found.layer_bytes);
  EXPECT_EQ(found.at(id_of(1))->shared_bytes, 0u);
}

TEST_F(surveying, of_a_damaged_timeline_is_an_error_of_that_one) {
  write_child();
  const path manifest = all_.directory_of(1) / layers::manifest_name;
  must(write_file_durably(files_, manifest, as_bytes("damaged")));
  const auto found = survey();
  EXPECT_TRUE(found.at(id_of(0)).has_value());
  ASSERT_FALSE(found.at(id_of(1)));
  EXPECT_NE(found.at(id_of(1)).error().message.find(manifest.string()), std::string::npos);
}

}  // namespace
}  // namespace zenith::actors
