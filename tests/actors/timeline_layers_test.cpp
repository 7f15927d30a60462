// What a timeline actor does for its layers: when it writes them, when it waits, when it ends.
#include "actors/timeline_layers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "actors/background.hpp"
#include "actors/timeline.hpp"
#include "storage/layers/block_file.hpp"
#include "storage/layers/manifest.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/actors/made_timeline.hpp"
#include "tests/actors/stand_in_supervisor.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

result<layers::written_layers> fail_cancelled() {
  return fail(errc::unavailable, "the job was cancelled");
}

// Keeps the jobs that it is asked for until it is told to run them.
using holding_actor = background_actor::extend<caf::reacts_to<tend_atom>>;
struct held_jobs {
  struct asked {
    layer_job_ptr job;
    caf::typed_response_promise<layer_outcome_ptr> promise;
  };
  std::vector<asked> all;
};
holding_actor::behavior_type holding_background(holding_actor::pointer self,
                                                std::shared_ptr<held_jobs> jobs) {
  return {[=](run_atom, const layer_job_ptr& job) -> caf::result<layer_outcome_ptr> {
            auto promise = self->make_response_promise<layer_outcome_ptr>();
            jobs->all.push_back({job, promise});
            return promise;
          },
          [=](tend_atom) {
            for (held_jobs::asked& one : std::exchange(jobs->all, {}))
              one.promise.deliver(
                  layer_outcome_ptr{std::make_shared<const result<layers::written_layers>>(
                      one.job->cancelled->load() ? fail_cancelled()
                                                 : one.job->run([] { return false; }))});
          }};
}

class timeline_layers_fixture : public ::testing::Test {
 protected:
  timeline_layers_fixture() {
    how.layers.open_age_max = 60s;
    how.layers.idle_timeout = 600s;
    how.layers.retry_min = 100ms;
    background_parameters pool;
    pool.workers = 2;
    pool.detached = false;
    how.layers.background = actors.spawn(background, pool);
  }
  timeline_actor open() {
    how.store = made.parameters();
    how.store.limits = limits;
    return actors.spawn(timeline, how, timeline_actor{});
  }
  timeline_actor open_child(const repository::timeline_store::parameters& store,
                            const timeline_actor& parent) {
    how.store = store;
    how.store.limits = limits;
    return actors.spawn(timeline, how, parent);
  }
  receiver_window_ptr follow(const timeline_actor& which) {
    auto window = std::make_shared<receiver_window>();
    actors.ask<lsn>(which, follow_atom::value, window);
    actors.settle();
    return window;
  }
  void send_changes(const timeline_actor& to, const receiver_window_ptr& from, int records = 1) {
    const lsn at = made.end();
    const bytes wal = made.change(records);
    caf::anon_send(to, wal_atom::value,
                   wal_chunk_ptr{std::make_shared<wal_chunk>(wal_chunk{from, at, wal})});
    actors.settle();
  }
  timeline_status status_of(const timeline_actor& which) {
    const auto status = actors.ask<timeline_status>(which, status_atom::value);
    actors.settle();
    return status->value().value();
  }
  void hold_jobs() {
    held = std::make_shared<held_jobs>();
    holder = actors.spawn(holding_background, held);
    how.layers.background = holder;
  }
  void run_held() {
    caf::anon_send(holder, tend_atom::value);
    actors.settle();
  }
  // Up to where a timeline's layers are in files.
  lsn written_until(const path& directory) {
    const auto there = layers::read_manifest(made.files, directory);
    return there ? there->disk_consistent : lsn{};
  }

  made_timeline made;
  layers::layer_limits limits;
  std::shared_ptr<held_jobs> held;
  holding_actor holder;
  deterministic actors;
  timeline_parameters how;
};

TEST_F(timeline_layers_fixture, a_full_layer_is_written_and_its_wal_not_read_again) {
  limits.open_layer_bytes = 1;
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window, 3);
  EXPECT_EQ(written_until(made.directory), made.end());
  const timeline_status status = status_of(opened);
  EXPECT_EQ(status.layers, 2u);
  EXPECT_GT(status.flushed_bytes, 0u);
  EXPECT_EQ(status.problem, "");
  EXPECT_EQ(window->durable(), made.end());
}

TEST_F(timeline_layers_fixture, an_old_layer_is_written_however_small) {
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  actors.advance(59s);
  EXPECT_FALSE(written_until(made.directory).is_valid());
  actors.advance(17s);
  EXPECT_EQ(written_until(made.directory), made.end());
}

TEST_F(timeline_layers_fixture, one_without_versions_writes_nothing) {
  const auto opened = open();
  const auto window = follow(opened);
  actors.advance(200s);
  EXPECT_FALSE(written_until(made.directory).is_valid());
}

TEST_F(timeline_layers_fixture, the_largest_open_layer_is_written_where_memory_is_short) {
  how.layers.budget = layers::memory_budget::make(uint64_t{64} << 20);
  const auto other = how.layers.budget->join([] {});
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window, 10);
  EXPECT_FALSE(written_until(made.directory).is_valid());
  const uint64_t mine = status_of(opened).memory_bytes;
  ASSERT_GT(mine, 2u);
  const uint64_t half = uint64_t{32} << 20;
  other->set({mine / 2, half, 0});
  const auto third = how.layers.budget->join([] {});
  third->set({mine / 2, 0, 0});
  // More than half of the bound is open only together with this one.
  other->set({mine / 2, 0, 0});
  EXPECT_FALSE(written_until(made.directory).is_valid());
  std::vector<std::unique_ptr<layers::memory_budget::account>> many;
  for (uint64_t sum = 0; sum <= half; sum += mine / 2) {
    many.push_back(how.layers.budget->join([] {}));
    many.back()->set({mine / 2, 0, 0});
  }
  actors.settle();
  EXPECT_EQ(written_until(made.directory), made.end());
}

TEST_F(timeline_layers_fixture, one_that_opens_while_memory_is_short_writes_what_it_reads) {
  const auto first = open();
  const auto window = follow(first);
  send_changes(first, window, 100);
  actors.ask<lsn>(first, close_atom::value, closing::discard);
  actors.settle();
  ASSERT_LT(written_until(made.directory), made.end());
  // Others have taken all of it.
  how.layers.budget = layers::memory_budget::make(1000);
  const auto others = how.layers.budget->join([] {});
  others->set({0, 2000, 0});
  hold_jobs();
  const auto second = open();
  EXPECT_EQ(status_of(second).last_lsn, made.end().value());
  EXPECT_EQ(written_until(made.directory), made.end());
  EXPECT_EQ(how.layers.budget->used_bytes(), 2000u);
}

TEST_F(timeline_layers_fixture, a_write_that_fails_is_shown_and_tried_again) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  ASSERT_EQ(held->all.size(), 1u);
  made.files.fail_at(made.files.operations() + 1, testing::memory_file_system::fault::io_error);
  run_held();
  EXPECT_FALSE(written_until(made.directory).is_valid());
  EXPECT_NE(status_of(opened).problem, "");
  actors.advance(100ms);
  ASSERT_EQ(held->all.size(), 1u);
  run_held();
  EXPECT_EQ(written_until(made.directory), made.end());
  EXPECT_EQ(status_of(opened).problem, "");
}

// The power goes in the middle of a merge, or the node is told to end then.
TEST_F(timeline_layers_fixture, a_merge_that_was_interrupted_is_taken_up_again) {
  limits.open_layer_bytes = 1;
  limits.level0_merge_at = 3;
  how.layers.supervisor = actors.spawn(stand_in_supervisor, std::function<void(std::string)>());
  const auto background = how.layers.background;
  const auto layer_files = [&] {
    std::set<std::string> names;
    const auto there = made.files.list(made.directory / "layers");
    for (const directory_entry& one : *there) names.insert(one.name);
    return names;
  };
  const auto named_files = [&] {
    std::set<std::string> names;
    const auto manifest = layers::read_manifest(made.files, made.directory);
    for (const auto& level : manifest->map.levels())
      for (const auto& slice : level) names.insert(file_name_of(slice.file.name));
    return names;
  };
  hold_jobs();
  auto opened = open();
  auto window = follow(opened);
  const auto merge_is_out = [&] {
    return std::ranges::any_of(
        held->all, [](const auto& one) { return one.job->what == layer_job::kind::merge; });
  };
  while (!merge_is_out()) {
    send_changes(opened, window);
    ASSERT_LT(status_of(opened).layers, 20u);
    if (!merge_is_out()) run_held();
  }
  while (held->all.size() > 1) run_held();
  const auto before = named_files();

  // In its file's first bytes.
  made.files.fail_at(made.files.operations() + 2, testing::memory_file_system::fault::power);
  run_held();
  EXPECT_NE(status_of(opened).problem, "");
  actors.ask<lsn>(opened, close_atom::value, closing::discard);
  actors.settle();
  made.files.power_cut_keeping_some(1);
  EXPECT_EQ(named_files(), before);

  // It is due still; told to end, the timeline lets go of it.
  opened = open();
  window = follow(opened);
  while (!merge_is_out()) {
    send_changes(opened, window);
    if (!merge_is_out()) run_held();
  }
  EXPECT_EQ(layer_files(), named_files());
  const auto ended = actors.watch(opened);
  const auto closed = actors.ask<lsn>(opened, close_atom::value, closing::write);
  actors.settle();
  ASSERT_FALSE(held->all.empty());
  EXPECT_TRUE(held->all.front().job->cancelled->load());
  while (!held->all.empty()) run_held();
  ASSERT_TRUE(ended->has_value());
  EXPECT_EQ(written_until(made.directory), made.end());

  how.layers.background = background;
  opened = open();
  window = follow(opened);
  send_changes(opened, window);
  const auto manifest = layers::read_manifest(made.files, made.directory);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_LT(manifest->map.levels().front().size(), limits.level0_merge_at);
  EXPECT_GT(manifest->merged_bytes, 0u);
  EXPECT_EQ(status_of(opened).problem, "");
  const auto view = actors.ask<view_ptr>(opened, view_atom::value, made.end());
  actors.settle();
  const auto value = view->value().value()->value(key::next_oid(), made.end());
  ASSERT_TRUE(value && *value);
  EXPECT_EQ(load<uint32_t>((*value)->data()), made.newest_value());
}

TEST_F(timeline_layers_fixture, its_receiver_waits_while_layers_are_not_written) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  int sent = 0;
  for (; sent < 10 && !window->is_paused(); ++sent) send_changes(opened, window);
  ASSERT_TRUE(window->is_paused());
  EXPECT_GT(sent, 1);
  EXPECT_NE(status_of(opened).problem.find("waits for"), std::string::npos);
  // What was on its way is taken in and acknowledged.
  send_changes(opened, window);
  EXPECT_EQ(window->durable(), made.end());
  while (!held->all.empty()) run_held();
  EXPECT_FALSE(window->is_paused());
  EXPECT_EQ(status_of(opened).problem, "");
  EXPECT_EQ(written_until(made.directory), made.end());
}

TEST_F(timeline_layers_fixture, its_receiver_goes_on_where_a_file_to_be_merged_is_damaged) {
  limits.open_layer_bytes = 1;
  limits.level0_merge_at = 3;
  limits.level0_max = 4;
  limits.level1_bytes = 1;
  limits.level_factor = 2;
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  const path file = made.directory / "layers" / "00000001.delta";
  const auto damaged = made.files.open(file, open_mode::write).value();
  bytes whole(damaged->size_bytes().value());
  ASSERT_TRUE(damaged->read(0, whole));
  ASSERT_TRUE(damaged->write(sizeof(layers::block_file_header), bytes(20)));
  for (int i = 0; i < 100; ++i) {
    send_changes(opened, window);
    ASSERT_FALSE(window->is_paused()) << i << ": " << status_of(opened).problem;
    ASSERT_LE(status_of(opened).layers, 8u);
  }
  EXPECT_EQ(window->durable(), made.end());
  EXPECT_EQ(written_until(made.directory), made.end());
  const std::string problem = status_of(opened).problem;
  EXPECT_NE(problem.find(file.string()), std::string::npos) << problem;
  EXPECT_NE(problem.find("damaged at offset 68"), std::string::npos) << problem;
  // With the file as it was, and the timeline opened anew, all is well.
  ASSERT_TRUE(damaged->write(0, whole));
  actors.ask<lsn>(opened, close_atom::value, closing::write);
  actors.settle();
  const auto again = open();
  const auto next_window = follow(again);
  for (int i = 0; i < 10; ++i) send_changes(again, next_window);
  EXPECT_EQ(status_of(again).problem, "");
  EXPECT_LE(status_of(again).layers, 5u);
}

TEST_F(timeline_layers_fixture, all_wait_where_the_node_has_no_memory_left) {
  how.layers.budget = layers::memory_budget::make(uint64_t{64} << 20);
  const auto opened = open();
  const auto window = follow(opened);
  auto other = how.layers.budget->join([] {});
  other->set({0, uint64_t{64} << 20, 0});
  send_changes(opened, window);
  EXPECT_TRUE(window->is_paused());
  EXPECT_NE(status_of(opened).problem.find("memory"), std::string::npos);
  other = nullptr;
  actors.settle();
  EXPECT_FALSE(window->is_paused());
}

TEST_F(timeline_layers_fixture, closing_writes_what_is_in_memory) {
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window, 2);
  const auto closed = actors.ask<lsn>(opened, close_atom::value, closing::write);
  const auto ended = actors.watch(opened);
  actors.settle();
  EXPECT_TRUE(ended->has_value());
  EXPECT_EQ(**closed, made.end());
  EXPECT_EQ(written_until(made.directory), made.end());
  EXPECT_EQ(lsn{status_of(open()).last_lsn}, made.end());
}

TEST_F(timeline_layers_fixture, one_to_be_discarded_ends_once_no_job_works_for_it) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  const auto ended = actors.watch(opened);
  actors.ask<lsn>(opened, close_atom::value, closing::discard);
  actors.settle();
  EXPECT_FALSE(ended->has_value());
  EXPECT_TRUE(held->all.front().job->cancelled->load());
  run_held();
  EXPECT_TRUE(ended->has_value());
}

TEST_F(timeline_layers_fixture, a_new_one_opens_once_no_job_works_for_the_one_before) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  ASSERT_EQ(held->all.size(), 1u);
  const auto ended = actors.watch(opened);
  how.before = opened;
  const auto again = open();
  const auto status = actors.ask<timeline_status>(again, status_atom::value);
  actors.settle();
  EXPECT_FALSE(ended->has_value());
  EXPECT_FALSE(status->has_value());
  run_held();
  EXPECT_TRUE(ended->has_value());
  ASSERT_TRUE(status->has_value());
  EXPECT_EQ((*status)->value().state, "open");
  EXPECT_EQ(lsn{(*status)->value().last_lsn}, made.end());
}

TEST_F(timeline_layers_fixture, a_new_one_opens_where_the_one_before_is_gone) {
  const auto opened = open();
  actors.ask<lsn>(opened, close_atom::value, closing::write);
  actors.settle();
  how.before = opened;
  EXPECT_EQ(status_of(open()).state, "open");
}

TEST_F(timeline_layers_fixture, one_that_fails_ends_once_no_job_works_for_it) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window);
  const auto ended = actors.watch(opened);
  made.files.fail_at(made.files.operations() + 1, testing::memory_file_system::fault::io_error);
  send_changes(opened, window);
  EXPECT_FALSE(ended->has_value());
  EXPECT_EQ(status_of(opened).state, "failed");
  run_held();
  ASSERT_TRUE(ended->has_value());
  EXPECT_EQ(from_caf(**ended).code, errc::io);
}

TEST_F(timeline_layers_fixture, a_childs_first_layer_has_its_parent_write_what_it_inherits) {
  const auto parent = open();
  const auto parents_window = follow(parent);
  send_changes(parent, parents_window, 2);
  const auto store = made.child_parameters();
  const lsn left = made.end();
  const auto child = open_child(store, parent);
  actors.settle();
  EXPECT_FALSE(written_until(made.directory).is_valid());
  limits.open_layer_bytes = 1;
  const auto impatient = open_child(store, parent);
  actors.settle();
  const auto window = follow(impatient);
  send_changes(impatient, window);
  EXPECT_EQ(written_until(made.directory), left);
  EXPECT_EQ(written_until(store.directory), made.end());
}

TEST_F(timeline_layers_fixture, merges_by_hand_leave_nothing_in_memory) {
  how.layers.supervisor = actors.spawn(stand_in_supervisor, std::function<void(std::string)>());
  const auto opened = open();
  const auto window = follow(opened);
  send_changes(opened, window, 2);
  const auto merged = actors.ask<timeline_status>(opened, merge_atom::value, merge_goal::space);
  actors.settle();
  ASSERT_TRUE(merged->has_value() && merged->value()) << merged->value().error().message;
  EXPECT_EQ(written_until(made.directory), made.end());
}

TEST_F(timeline_layers_fixture, one_that_nobody_uses_is_written_and_ends_once_it_may) {
  bool may = false;
  std::vector<timeline_status> asked;
  how.layers.supervisor =
      actors.spawn(supervisor_that_lets_go, std::function<void(std::string)>(),
                   std::function<bool(const timeline_status&)>([&](const timeline_status& last) {
                     asked.push_back(last);
                     return may;
                   }));
  how.layers.open_age_max = 1h;
  how.layers.idle_timeout = 10s;
  const auto opened = open();
  auto window = follow(opened);
  send_changes(opened, window);
  const auto ended = actors.watch(opened);
  actors.advance(30s);
  EXPECT_TRUE(asked.empty());  // a receiver feeds it
  window = nullptr;
  actors.advance(10s);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(lsn{asked[0].last_lsn}, made.end());
  EXPECT_EQ(written_until(made.directory), made.end());
  EXPECT_FALSE(ended->has_value());
  may = true;
  actors.ask<view_ptr>(opened, view_atom::value, made.end());
  actors.advance(9s);
  EXPECT_FALSE(ended->has_value());
  actors.advance(5s);
  EXPECT_TRUE(ended->has_value());
}

class timeline_that_may_leave : public timeline_layers_fixture {
 protected:
  timeline_that_may_leave() {
    how.layers.supervisor =
        actors.spawn(supervisor_that_lets_go, std::function<void(std::string)>(),
                     std::function<bool(const timeline_status&)>([this](const timeline_status&) {
                       ++asked;
                       return may;
                     }));
    how.layers.idle_timeout = 600s;
  }
  // Its first layer is there, and nobody has used it since it was opened.
  timeline_actor open_unused() {
    const auto first = open();
    const auto window = follow(first);
    send_changes(first, window, 2);
    actors.ask<lsn>(first, close_atom::value, closing::discard);
    actors.settle();
    return open();
  }
  eventual<result<bool>> ask_to_leave(const timeline_actor& which) {
    const auto answer = actors.ask<bool>(which, leave_atom::value);
    actors.settle();
    return answer;
  }

  bool may = true;
  int asked = 0;
};

TEST_F(timeline_that_may_leave, ends_when_only_who_collects_has_used_it) {
  const auto opened = open_unused();
  const auto ended = actors.watch(opened);
  actors.ask<timeline_status>(opened, merge_atom::value, merge_goal::space);
  actors.settle();
  auto kept = std::make_shared<kept_states>();
  kept->needed = std::make_shared<const repository::needed_states>(
      std::span<const repository::timeline_metadata>{},
      std::span<const repository::needed_point>{});
  actors.ask<wal_trim_ptr>(opened, trim_atom::value, kept_states_ptr{kept});
  actors.ask<uint64_t>(opened, unsettled_atom::value);
  actors.settle();
  EXPECT_FALSE(ended->has_value());
  const auto left = ask_to_leave(opened);
  EXPECT_TRUE(ended->has_value());
  ASSERT_TRUE(left->has_value() && left->value());
  EXPECT_TRUE(left->value().value());
  EXPECT_EQ(written_until(made.directory), made.end());
}

TEST_F(timeline_that_may_leave, stays_where_others_use_it_or_it_is_not_let_go) {
  may = false;
  const auto opened = open_unused();
  const auto ended = actors.watch(opened);
  const auto refused = ask_to_leave(opened);
  ASSERT_TRUE(refused->has_value() && refused->value());
  EXPECT_FALSE(refused->value().value());
  EXPECT_EQ(asked, 1);
  may = true;
  actors.ask<view_ptr>(opened, view_atom::value, made.end());
  actors.settle();
  const auto used = ask_to_leave(opened);
  ASSERT_TRUE(used->has_value() && used->value());
  EXPECT_FALSE(used->value().value());
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(ended->has_value());
}

TEST_F(timeline_that_may_leave, says_that_it_cannot_be_written) {
  hold_jobs();
  const auto opened = open_unused();
  const auto left = ask_to_leave(opened);
  EXPECT_FALSE(left->has_value());
  ASSERT_EQ(held->all.size(), 1u);
  made.files.fail_at(made.files.operations() + 1, testing::memory_file_system::fault::io_error);
  run_held();
  ASSERT_TRUE(left->has_value());
  ASSERT_FALSE(left->value());
  EXPECT_EQ(left->value().error().code, errc::io);
}

TEST_F(timeline_that_may_leave, is_idle_although_layers_are_swept_and_wal_is_trimmed) {
  how.layers.idle_timeout = 10s;
  const auto opened = open_unused();
  const auto ended = actors.watch(opened);
  for (int i = 0; i < 15 && !ended->has_value(); ++i) {
    actors.ask<uint64_t>(opened, unsettled_atom::value);
    actors.advance(1s);
  }
  EXPECT_TRUE(ended->has_value());
}

}  // namespace
}  // namespace zenith::actors
