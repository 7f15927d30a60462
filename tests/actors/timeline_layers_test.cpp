// What a timeline actor does for its layers: when it writes them, and when it waits.
#include "actors/timeline_layers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "storage/layers/block_file.hpp"
#include "storage/layers/manifest.hpp"
#include "tests/actors/timeline_layers_fixture.hpp"

namespace zenith::actors {
namespace {

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

TEST_F(timeline_layers_fixture, a_childs_merge_by_hand_is_answered_where_its_parent_cannot_write) {
  hold_jobs();
  const auto parent = open();
  const auto parents_window = follow(parent);
  send_changes(parent, parents_window, 2);
  const auto store = made.child_parameters();
  const auto child = open_child(store, parent);
  actors.settle();
  const auto window = follow(child);
  send_changes(child, window);
  const auto merged = actors.ask<timeline_status>(child, merge_atom::value, merge_goal::space);
  actors.settle();
  EXPECT_FALSE(merged->has_value());
  ASSERT_EQ(held->all.size(), 1u) << "the parent's layer, which the child waits for";
  made.files.fail_at(made.files.operations() + 1, testing::memory_file_system::fault::no_space);
  run_held();
  actors.advance(11s);
  ASSERT_TRUE(merged->has_value());
  ASSERT_FALSE(merged->value());
  EXPECT_EQ(merged->value().error().code, errc::io);
  EXPECT_NE(merged->value().error().message.find("parent"), std::string::npos)
      << merged->value().error().message;
  EXPECT_NE(status_of(child).problem.find("parent"), std::string::npos);
}

TEST_F(timeline_layers_fixture, a_stopped_servers_wal_is_not_waited_for_where_nothing_is_written) {
  limits.open_layer_bytes = 1;
  hold_jobs();
  const auto opened = open();
  const auto window = follow(opened);
  while (!window->is_paused()) send_changes(opened, window);
  made.files.fail_at(made.files.operations() + 1, testing::memory_file_system::fault::no_space);
  run_held();
  auto drained = actors.ask<lsn>(opened, drain_atom::value, std::string("pg_wal"));
  actors.settle();
  ASSERT_TRUE(drained->has_value());
  ASSERT_FALSE(drained->value());
  EXPECT_EQ(drained->value().error().code, errc::unavailable);
  // Once there is room again the rest is taken in.
  actors.advance(1s);
  while (!held->all.empty()) run_held();
  drained = actors.ask<lsn>(opened, drain_atom::value, std::string("pg_wal"));
  actors.settle();
  ASSERT_TRUE(drained->has_value() && drained->value());
  EXPECT_EQ(**drained, made.end());
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

}  // namespace
}  // namespace zenith::actors
