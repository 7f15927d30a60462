// Collecting on a node with more closed timelines than it opens at once: what is told without
// opening any, what goes by hand, and what goes by itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "actors/layer_settings.hpp"
#include "actors/supervisor.hpp"
#include "storage/layers/manifest.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/actors/logged_lines.hpp"
#include "tests/support/golden_timelines.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::actors {
namespace {

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*done);
}

constexpr size_t children = 11;
constexpr size_t background_jobs = 1;

// A root and its branches, all with layers of their own in which something has gone out of the
// window. What the root wrote its branches name too.
class closed_timelines : public ::testing::Test {
 protected:
  closed_timelines() {
    names_ = std::make_shared<repository::repository>(
        must(repository::repository::create(files_, "repo", "{}")));
    for (const char* key : {"history_window", "wal_keep_time"}) must(settings_.set(key, "0ms"));
    for (const char* key : {"history_size", "wal_keep_size"}) must(settings_.set(key, "0B"));
    must(settings_.set("background_jobs", std::to_string(background_jobs)));
    all_ = std::make_unique<testing::golden_timelines>(files_, judge_, "repo/timelines");
    // No merge is due, but for those that only free space.
    all_->limits = layer_limits_of(settings_);
    write(0, judge_.scenario().start + (judge_.scenario().end - judge_.scenario().start) / 4);
    must(names_->create_branch("main", all_->metadata()[0]));
    for (size_t i = 1; i <= children; ++i) {
      all_->add_child(0, end_of_root_);
      write(i, judge_.scenario().end);
      must(names_->create_branch(fmt::format("b{}", i), all_->metadata()[i]));
    }
    all_->restart();
  }
  ~closed_timelines() override {
    caf::scoped_actor self{system_};
    self->monitor(node_);
    self->send(node_, shutdown_atom::value);
    self->receive([](const caf::down_msg&) {});
  }

  // Takes in WAL until there, and has all of it in layers.
  void write(size_t number, lsn until) {
    auto how = all_->parameters(number);
    std::unique_ptr<repository::timeline_store> root;
    if (number != 0) {
      root = must(repository::timeline_store::open(all_->parameters(0)));
      how.parent = must(root->base_at(end_of_root_));
    }
    const auto store = must(repository::timeline_store::open(how));
    lsn from = must(store->begin_stream());
    until = judge_.end_at_or_before(until);
    const uint64_t piece = (until - from) / 3 + 1;
    while (from < until) {
      const lsn to = std::min(from + piece, until);
      must(store->append(from, judge_.scenario().wal_from(from).first(to - from)));
      must(store->freeze());
      testing::settle(*store);
      from = to;
    }
    must(store->sync());
    if (number == 0) end_of_root_ = store->end();
  }
  void start() {
    supervisor_parameters how;
    how.files = &files_;
    how.repository = names_;
    how.settings = settings_;
    node_ = system_.spawn<supervisor, caf::detached>(how);
  }
  template <class Answer, class... Message>
  Answer ask(Message... message) {
    caf::scoped_actor self{system_};
    std::optional<Answer> answer;
    self->request(node_, std::chrono::seconds(60), message...)
        .receive([&](Answer& value) { answer = std::move(value); },
                 [&](caf::error& failure) { throw std::runtime_error(from_caf(failure).message); });
    return std::move(*answer);
  }
  // Stored bytes of all files in the layer folders.
  uint64_t layer_bytes() {
    uint64_t bytes = 0;
    for (size_t i = 0; i < all_->metadata().size(); ++i)
      for (const auto& one : must(files_.list(all_->directory_of(i) / "layers")))
        bytes +=
            must(must(files_.open(all_->directory_of(i) / "layers" / one.name, open_mode::read))
                     ->size_bytes());
    return bytes;
  }
  size_t open_now() {
    size_t open = 0;
    for (const auto& one : ask<node_status>(status_atom::value).timelines)
      open += one.state == "open" ? 1 : 0;
    return open;
  }

  static constexpr const char* opened = ": open up to";
  static constexpr const char* left = ": closed, nobody uses it";

  logged_lines log_;
  // A system with delayed messages does not end (node.cpp): it stays, and what its actors used.
  struct message_types : caf::actor_system_config {
    message_types() { add_message_types<caf::id_block::zenith>(); }
  };
  struct everlasting {
    testing::memory_file_system files;
    message_types types;
    caf::actor_system system{types};
  };
  static everlasting& make_everlasting() {
    static auto* const all = new std::vector<everlasting*>;
    return *all->emplace_back(new everlasting);
  }

  everlasting& kept_ = make_everlasting();
  testing::memory_file_system& files_ = kept_.files;
  caf::actor_system& system_ = kept_.system;
  testing::golden_history_judge judge_{"databases"};
  std::unique_ptr<testing::golden_timelines> all_;
  std::shared_ptr<repository::repository> names_;
  lsn end_of_root_;
  config::settings settings_;
  supervisor_actor node_;
};

TEST_F(closed_timelines, are_told_of_without_being_opened) {
  start();
  const auto would = ask<gc_reply>(gc_atom::value, true);
  const uint64_t before = layer_bytes();  // after the sweep that a node begins with
  EXPECT_EQ(log_.count(opened), 0u);
  EXPECT_GT(would.estimated_bytes, 0u);
  EXPECT_EQ(would.kept.size(), children + 1);
  for (const std::string& one : would.kept)
    EXPECT_NE(one.find("merges would free"), std::string::npos) << one;

  const auto done = ask<gc_reply>(gc_atom::value, false);
  // A job that has just ended may have held files when they were looked at.
  ask<gc_reply>(gc_atom::value, false);
  const uint64_t freed = before - layer_bytes();
  fmt::print("{} of {} bytes were told, {} went\n", would.estimated_bytes, before, freed);
  // How large which version is it does not know.
  EXPECT_LE(would.estimated_bytes, before / 2);
  EXPECT_GE(would.estimated_bytes, freed / 4);
  EXPECT_EQ(done.removed_wal_files, would.removed_wal_files);
  EXPECT_GT(done.removed_wal_files, 0u);
  EXPECT_EQ(done.kept_wal_bytes, would.kept_wal_bytes);
  EXPECT_EQ(done.kept.size(), children + 1);

  const auto again = ask<gc_reply>(gc_atom::value, true);
  EXPECT_EQ(again.estimated_bytes, 0u);
  EXPECT_EQ(again.removed_wal_files, 0u);
}

TEST_F(closed_timelines, are_opened_few_at_a_time_and_closed_again) {
  start();
  ask<gc_reply>(gc_atom::value, false);
  EXPECT_EQ(log_.count(opened), children + 1);
  EXPECT_EQ(log_.count(opened), log_.count(left));
  EXPECT_LE(log_.most_between(opened, left), 2 * background_jobs);
  EXPECT_EQ(open_now(), 0u);
  // Nothing is left to do in them.
  const size_t before = log_.count(opened);
  ask<gc_reply>(gc_atom::value, false);
  EXPECT_EQ(log_.count(opened), before);
}

TEST_F(closed_timelines, that_were_open_before_stay_open) {
  start();
  const timeline_id used = all_->metadata()[3].id;
  const auto timeline = ask<timeline_actor>(lookup_atom::value, to_string(used));
  ask<gc_reply>(gc_atom::value, false);
  EXPECT_EQ(log_.count(opened), log_.count(left) + 1);
  EXPECT_EQ(log_.count(to_string(used) + left), 0u);
  EXPECT_EQ(open_now(), 1u);
}

TEST_F(closed_timelines, are_collected_in_the_background) {
  start();
  ask<gc_reply>(gc_atom::value, true);
  const uint64_t before = layer_bytes();
  caf::anon_send(node_, collect_atom::value);
  ASSERT_TRUE(log_.wait_for(left, children + 1));
  EXPECT_LE(log_.most_between(opened, left), 2 * background_jobs);
  // The answer comes after the round's own sweep.
  const auto left_over = ask<gc_reply>(gc_atom::value, true);
  EXPECT_EQ(left_over.estimated_bytes, 0u);
  EXPECT_EQ(left_over.removed_wal_files, 0u);
  ask<gc_reply>(gc_atom::value, false);
  EXPECT_LT(layer_bytes(), before);
}

// Nobody knows which files a damaged manifest names, so none goes; the others are merged.
TEST_F(closed_timelines, of_which_one_is_damaged_are_merged_and_lose_no_file) {
  const path damaged = all_->directory_of(2) / layers::manifest_name;
  must(must(files_.open(damaged, open_mode::write))->write(10, as_bytes("XX")));
  start();
  try {
    ask<gc_reply>(gc_atom::value, false);
    FAIL();
  } catch (const std::runtime_error& why) {
    EXPECT_NE(std::string(why.what()).find(damaged.string()), std::string::npos) << why.what();
  }
  EXPECT_EQ(log_.count(opened), children);
  EXPECT_EQ(log_.count(left), children);
}

}  // namespace
}  // namespace zenith::actors
