// The background actor: which job comes first, what is answered, and how jobs end early.
#include "actors/background.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/actors/deterministic.hpp"

namespace zenith::actors {
namespace {

using outcome = eventual<result<layer_outcome_ptr>>;

class background_fixture : public ::testing::Test {
 protected:
  background_actor start(size_t workers) {
    background_parameters how;
    how.workers = workers;
    how.detached = false;
    how.stopping = stopping;
    return actors.spawn(background, how);
  }
  outcome ask(const background_actor& whom, layer_job::kind what, const std::string& name) {
    auto job = std::make_shared<layer_job>();
    job->what = what;
    job->cancelled = cancelled;
    job->run = [this, name](const std::function<bool()>& stop) -> result<layers::written_layers> {
      ran.push_back(name);
      if (name == "throws") throw std::runtime_error("no memory");
      if (name == "fails") return fail(errc::io, "the disk is full");
      if (name == "is stopped") stopping->store(true);
      if (stop()) return fail(errc::unavailable, "stopped");
      layers::written_layers done;
      done.bytes_written = name.size();
      return done;
    };
    return actors.ask<layer_outcome_ptr>(whom, run_atom::value, layer_job_ptr{job});
  }
  static const result<layers::written_layers>& told(const outcome& answer) { return ****answer; }

  using kind = layer_job::kind;
  std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::string> ran;
  deterministic actors;
};

TEST_F(background_fixture, writes_go_before_merges_that_wait) {
  const auto pool = start(1);
  ask(pool, kind::merge, "first merge");
  ask(pool, kind::merge, "second merge");
  ask(pool, kind::write, "first write");
  const auto last = ask(pool, kind::write, "second write");
  actors.settle();
  EXPECT_EQ(ran, (std::vector<std::string>{"first merge", "first write", "second write",
                                           "second merge"}));
  EXPECT_EQ(told(last)->bytes_written, 12u);
}

TEST_F(background_fixture, one_worker_of_several_is_kept_for_writes) {
  const auto pool = start(2);
  ask(pool, kind::merge, "first merge");
  ask(pool, kind::merge, "second merge");
  ask(pool, kind::write, "write");
  // Each worker takes one job, whichever is first: the second merge is with none of them.
  actors.settle();
  ASSERT_EQ(ran.size(), 3u);
  EXPECT_EQ(ran.back(), "second merge");
}

TEST_F(background_fixture, what_fails_is_answered_and_the_next_job_runs) {
  const auto pool = start(1);
  const auto failed = ask(pool, kind::write, "fails");
  const auto thrown = ask(pool, kind::write, "throws");
  const auto good = ask(pool, kind::write, "write");
  actors.settle();
  EXPECT_EQ(told(failed).error().code, errc::io);
  EXPECT_EQ(told(thrown).error().message, "no memory");
  EXPECT_TRUE(told(good).has_value());
}

TEST_F(background_fixture, merges_end_when_the_node_stops_and_writes_go_on) {
  const auto pool = start(1);
  const auto stopped = ask(pool, kind::merge, "is stopped");
  const auto never = ask(pool, kind::merge, "never");
  const auto write = ask(pool, kind::write, "write");
  actors.settle();
  EXPECT_EQ(told(stopped).error().code, errc::unavailable);
  EXPECT_EQ(told(never).error().code, errc::unavailable);
  EXPECT_TRUE(told(write).has_value());
  EXPECT_EQ(ran, (std::vector<std::string>{"is stopped", "write"}));
}

TEST_F(background_fixture, a_timelines_jobs_do_not_begin_once_it_has_cancelled_them) {
  const auto pool = start(1);
  const auto write = ask(pool, kind::write, "write");
  cancelled->store(true);
  actors.settle();
  EXPECT_EQ(told(write).error().code, errc::unavailable);
  EXPECT_TRUE(ran.empty());
}

}  // namespace
}  // namespace zenith::actors
