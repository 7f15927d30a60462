// How a timeline actor ends: told to, after a failure, or because nobody uses it.
#include "actors/timeline_layers.hpp"
#include "tests/actors/timeline_layers_fixture.hpp"

namespace zenith::actors {
namespace {

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
