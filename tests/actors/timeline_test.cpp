// The timeline actor: who waits for WAL, what a receiver is told, and how it ends.
#include "actors/timeline.hpp"

#include <gtest/gtest.h>

#include "actors/view_waiter.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/actors/made_timeline.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

// Keeps what it was told.
struct kept_view : view_waiter {
  void deliver(result<layers::view_ptr> view) override { told.push_back(std::move(view)); }
  std::vector<result<layers::view_ptr>> told;
};

class timeline_fixture : public ::testing::Test {
 protected:
  timeline_actor open() {
    timeline_parameters how;
    how.store = made.parameters();
    how.arrival_timeout = 10s;
    how.waiting_max = 2;
    return actors.spawn(timeline, how, timeline_actor{});
  }
  std::shared_ptr<kept_view> view_at(const timeline_actor& of, lsn at) {
    auto waiter = std::make_shared<kept_view>();
    caf::anon_send(of, view_atom::value, at, view_waiter_ptr{waiter});
    return waiter;
  }
  receiver_window_ptr follow(const timeline_actor& which) {
    auto window = std::make_shared<receiver_window>();
    const auto from = actors.ask<lsn>(which, follow_atom::value, window);
    actors.settle();
    EXPECT_EQ(**from, made.end());
    return window;
  }
  void send_wal(const timeline_actor& to, const receiver_window_ptr& from, lsn at, bytes data) {
    caf::anon_send(to, wal_atom::value,
                   wal_chunk_ptr{std::make_shared<wal_chunk>(wal_chunk{from, at, data})});
  }
  timeline_status status_of(const timeline_actor& which) {
    const auto status = actors.ask<timeline_status>(which, status_atom::value);
    actors.settle();
    return status->value().value();
  }
  static void expect_told(const kept_view& waiter, errc code, const std::string& words) {
    ASSERT_EQ(waiter.told.size(), 1u);
    ASSERT_FALSE(waiter.told[0]);
    EXPECT_EQ(waiter.told[0].error().code, code);
    EXPECT_NE(waiter.told[0].error().message.find(words), std::string::npos)
        << waiter.told[0].error().message;
  }
  static void expect_view(const kept_view& waiter, lsn until) {
    ASSERT_EQ(waiter.told.size(), 1u);
    ASSERT_TRUE(waiter.told[0]) << waiter.told[0].error().message;
    EXPECT_EQ((*waiter.told[0])->until(), until);
  }

  made_timeline made;
  deterministic actors;
};

TEST_F(timeline_fixture, a_view_of_what_has_arrived_comes_at_once) {
  const auto opened = open();
  const auto by_waiter = view_at(opened, made.start());
  const auto by_answer = actors.ask<view_ptr>(opened, view_atom::value, made.start());
  actors.settle();
  expect_view(*by_waiter, made.start());
  ASSERT_TRUE(by_answer->has_value() && by_answer->value());
  EXPECT_EQ((**by_answer)->get()->until(), made.start());
}

TEST_F(timeline_fixture, a_view_of_a_later_lsn_comes_with_its_wal) {
  const auto opened = open();
  const auto window = follow(opened);
  const lsn at = made.end();
  bytes wal = made.grow(3);
  const auto waiter = view_at(opened, made.end());
  actors.settle();
  EXPECT_TRUE(waiter->told.empty());
  // Less than the last record with its padding: it is no record yet.
  const bytes last(wal.end() - 8, wal.end());
  wal.resize(wal.size() - 8);
  send_wal(opened, window, at, wal);
  actors.settle();
  EXPECT_TRUE(waiter->told.empty());
  send_wal(opened, window, at + wal.size(), last);
  actors.settle();
  expect_view(*waiter, made.end());
  actors.advance(20s);
  EXPECT_EQ(waiter->told.size(), 1u);
}

TEST_F(timeline_fixture, what_does_not_arrive_is_refused_exactly_at_its_deadline) {
  const auto opened = open();
  const auto waiter = view_at(opened, made.start() + 64);
  actors.settle();
  actors.advance(9'999ms);
  EXPECT_TRUE(waiter->told.empty());
  actors.advance(1ms);
  expect_told(*waiter, errc::not_arrived, "no server writes to it now");
}

TEST_F(timeline_fixture, an_lsn_of_zero_is_refused) {
  const auto opened = open();
  const auto waiter = view_at(opened, lsn{});
  actors.settle();
  expect_told(*waiter, errc::invalid_argument, "0/0");
}

TEST_F(timeline_fixture, more_waiting_requests_than_may_be_are_refused) {
  const auto opened = open();
  std::vector<std::shared_ptr<kept_view>> waiters;
  for (int i = 0; i < 3; ++i) waiters.push_back(view_at(opened, made.start() + 64));
  actors.settle();
  EXPECT_TRUE(waiters[0]->told.empty() && waiters[1]->told.empty());
  expect_told(*waiters[2], errc::limit, "too many");
}

TEST_F(timeline_fixture, those_who_wait_are_told_when_it_ends) {
  const auto opened = open();
  const auto waiter = view_at(opened, made.start() + 64);
  const auto answer = actors.ask<view_ptr>(opened, view_atom::value, made.start() + 64);
  const auto point = actors.ask<point_found>(
      opened, point_atom::value, point_query{repository::point_kind::end, made.start() + 64, {}});
  actors.settle();
  actors.ask<lsn>(opened, close_atom::value, closing::write);
  actors.settle();
  expect_told(*waiter, errc::unavailable, "closing");
  ASSERT_TRUE(answer->has_value() && point->has_value());
  EXPECT_EQ((*answer)->error().message, "the timeline is closing");
  EXPECT_EQ((*point)->error().message, "the timeline is closing");
}

TEST_F(timeline_fixture, a_point_past_the_end_is_refused_at_once_and_an_end_is_waited_for) {
  const auto opened = open();
  const auto window = follow(opened);
  const lsn at = made.end();
  const bytes wal = made.grow(1);
  const auto ask = [&](repository::point_kind kind) {
    return actors.ask<point_found>(opened, point_atom::value, point_query{kind, made.end(), {}});
  };
  const auto position = ask(repository::point_kind::position);
  const auto end = ask(repository::point_kind::end);
  actors.settle();
  ASSERT_TRUE(position->has_value());
  EXPECT_EQ((*position)->error().code, errc::not_arrived);
  EXPECT_FALSE(end->has_value());
  send_wal(opened, window, at, wal);
  actors.settle();
  ASSERT_TRUE(end->has_value() && end->value());
  EXPECT_EQ((**end)->at, made.end());
  EXPECT_EQ((**end)->previous, at);
}

TEST_F(timeline_fixture, a_former_receivers_wal_is_dropped) {
  const auto opened = open();
  const auto former = follow(opened);
  const auto now = follow(opened);
  const lsn at = made.end();
  const bytes wal = made.grow(1);
  send_wal(opened, former, at, wal);
  actors.settle();
  EXPECT_EQ(lsn{status_of(opened).last_lsn}, at);
  EXPECT_EQ(former->refusal(), "");
  send_wal(opened, now, at, wal);
  actors.settle();
  EXPECT_EQ(lsn{status_of(opened).last_lsn}, made.end());
}

TEST_F(timeline_fixture, the_receiver_is_told_what_is_durable_once_it_is) {
  const auto opened = open();
  const auto window = follow(opened);
  const lsn at = made.end();
  EXPECT_EQ(window->durable(), at);
  send_wal(opened, window, at, made.grow(1));
  actors.step();
  EXPECT_EQ(window->durable(), at);
  actors.settle();
  EXPECT_EQ(window->durable(), made.end());
}

TEST_F(timeline_fixture, damaged_wal_is_refused_and_what_came_before_stays_readable) {
  const auto opened = open();
  const auto window = follow(opened);
  const lsn at = made.end();
  bytes wal = made.grow(2);
  const lsn good = made.end();
  bytes damaged = made.grow(1);
  damaged[8] ^= std::byte{1};
  wal.insert(wal.end(), damaged.begin(), damaged.end());
  send_wal(opened, window, at, wal);
  actors.settle();
  EXPECT_FALSE(window->refusal().empty());
  const auto waiter = view_at(opened, good);
  actors.settle();
  expect_view(*waiter, good);
  const timeline_status status = status_of(opened);
  EXPECT_EQ(lsn{status.last_lsn}, good);
  EXPECT_NE(status.problem.find(to_string(good)), std::string::npos) << status.problem;

  const auto again = std::make_shared<receiver_window>();
  const auto from = actors.ask<lsn>(opened, follow_atom::value, again);
  actors.settle();
  EXPECT_EQ(**from, good);
  EXPECT_EQ(status_of(opened).problem, status.problem);
  damaged[8] ^= std::byte{1};
  send_wal(opened, again, good, damaged);
  actors.settle();
  EXPECT_EQ(again->refusal(), "");
  EXPECT_EQ(again->durable(), made.end());
  EXPECT_EQ(status_of(opened).problem, "");
}

TEST_F(timeline_fixture, wal_after_a_gap_is_refused) {
  const auto opened = open();
  const auto window = follow(opened);
  const lsn at = made.end();
  send_wal(opened, window, at + 8, made.grow(1));
  actors.settle();
  EXPECT_FALSE(window->refusal().empty());
  EXPECT_EQ(lsn{status_of(opened).last_lsn}, made.start());
}

TEST_F(timeline_fixture, a_failing_fsync_ends_it_and_acknowledges_nothing) {
  const auto opened = open();
  const auto window = follow(opened);
  const auto ended = actors.watch(opened);
  const lsn before = made.end();
  const auto waiter = view_at(opened, before + 4096);
  actors.settle();
  send_wal(opened, window, before, made.grow(1));
  actors.step();
  made.files.fail_at(made.files.operations(), testing::memory_file_system::fault::io_error);
  actors.settle();
  ASSERT_TRUE(ended->has_value());
  EXPECT_EQ(from_caf(**ended).code, errc::io);
  EXPECT_EQ(window->durable(), before);
  expect_told(*waiter, errc::unavailable, "closing");
}

TEST_F(timeline_fixture, an_fsync_that_fails_for_a_point_ends_it_and_gives_no_point) {
  const auto opened = open();
  const auto window = follow(opened);
  const auto ended = actors.watch(opened);
  // So many operations does one piece of WAL take before its sync.
  const auto before_first = made.files.operations();
  lsn at = made.end();
  send_wal(opened, window, at, made.grow(1));
  actors.step();
  const auto appending = made.files.operations() - before_first;
  actors.settle();
  const lsn durable = window->durable();
  at = made.end();
  const auto wal = made.grow(1);
  const auto found = actors.ask<point_found>(opened, point_atom::value,
                                             point_query{repository::point_kind::end, made.end()});
  actors.settle();
  send_wal(opened, window, at, wal);
  made.files.fail_at(made.files.operations() + appending,
                     testing::memory_file_system::fault::io_error);
  actors.settle();
  ASSERT_TRUE(found->has_value());
  ASSERT_FALSE((*found)->has_value());
  EXPECT_EQ((*found)->error().code, errc::io);
  EXPECT_TRUE(ended->has_value());
  EXPECT_EQ(window->durable(), durable);
}

TEST_F(timeline_fixture, closing_makes_all_durable) {
  const auto opened = open();
  const auto window = follow(opened);
  // The close comes before the sync that the WAL asks for.
  const lsn at = made.end();
  send_wal(opened, window, at, made.grow(2));
  const auto closed = actors.ask<lsn>(opened, close_atom::value, closing::write);
  const auto ended = actors.watch(opened);
  ASSERT_TRUE(closed->has_value() && closed->value());
  EXPECT_EQ(**closed, made.end());
  EXPECT_TRUE(ended->has_value());
  made.files.power_cut();
  EXPECT_EQ(lsn{status_of(open()).last_lsn}, made.end());
}

// Every request that was there before the end of the actor gets the same error.
class unreadable_timeline : public timeline_fixture {
 protected:
  void expect_all_told(errc code) {
    const auto opened = open();
    const auto waiter = view_at(opened, made.start());
    const auto view = actors.ask<view_ptr>(opened, view_atom::value, made.start());
    const auto base = actors.ask<branch_base_ptr>(opened, base_atom::value, made.start());
    const auto point = actors.ask<point_found>(opened, point_atom::value, point_query{});
    const auto from =
        actors.ask<lsn>(opened, follow_atom::value, std::make_shared<receiver_window>());
    const auto ended = actors.watch(opened);
    expect_told(*waiter, code, "base.image");
    ASSERT_TRUE(view->has_value() && base->has_value() && point->has_value() && from->has_value());
    EXPECT_EQ((*view)->error().code, code);
    EXPECT_EQ((*base)->error().code, code);
    EXPECT_EQ((*point)->error().code, code);
    EXPECT_EQ((*from)->error().code, code);
    EXPECT_TRUE(ended->has_value());
  }
};

TEST_F(unreadable_timeline, without_a_base_image_says_so_to_everyone_and_ends) {
  ASSERT_TRUE(made.files.remove(made.base_image()));
  expect_all_told(errc::not_found);
}

TEST_F(unreadable_timeline, with_a_damaged_base_image_says_so_to_everyone_and_ends) {
  auto image = made.files.open(made.base_image(), open_mode::write);
  const bytes damage(4, std::byte{0x5A});
  ASSERT_TRUE((*image)->write(*(*image)->size_bytes() - 4, damage));
  expect_all_told(errc::corrupt);
}

TEST_F(timeline_fixture, one_that_cannot_be_opened_stays_to_say_so_until_it_is_asked) {
  ASSERT_TRUE(made.files.remove(made.base_image()));
  const auto opened = open();
  const auto ended = actors.watch(opened);
  EXPECT_EQ(status_of(opened).state, "failed");
  EXPECT_FALSE(ended->has_value());
}

TEST_F(timeline_fixture, a_child_reads_what_its_parent_shares) {
  const auto parent = open();
  const auto window = follow(parent);
  const lsn at = made.end();
  send_wal(parent, window, at, made.grow(2));
  actors.settle();
  timeline_parameters how;
  how.store = made.parameters();
  how.store.directory = "child";
  how.store.metadata.id.value.fill(0xCD);
  how.store.metadata.ancestor =
      repository::timeline_point{made.parameters().metadata.id, made.end()};
  how.store.metadata.start = made.end();
  how.store.metadata.start_previous_record = lsn{};
  const auto child = actors.spawn(timeline, how, parent);
  const auto waiter = view_at(child, made.end());
  actors.settle();
  expect_view(*waiter, made.end());
  const auto value = (*waiter->told[0])->value(key::next_oid(), made.end());
  ASSERT_TRUE(value && *value);
  EXPECT_EQ((*value)->size(), 4u);

  ASSERT_TRUE(made.files.remove(made.base_image()));
  const auto orphan = actors.spawn(timeline, how, open());
  const auto told = view_at(orphan, made.end());
  actors.settle();
  expect_told(*told, errc::not_found, "base.image");
}

}  // namespace
}  // namespace zenith::actors
