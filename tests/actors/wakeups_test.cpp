// What wakes the poll() loops of receivers and connections.
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "actors/arrived_views.hpp"
#include "actors/receiver_window.hpp"

namespace zenith::actors {
namespace {

bool is_readable(int descriptor) {
  pollfd polled{descriptor, POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

layers::view_ptr view_until(lsn until) {
  return std::make_shared<const layers::view>(std::vector<layers::layer_reference>{}, lsn{1},
                                              until);
}

TEST(receiver_window, wakes_its_reader_at_each_change_until_it_is_cleared) {
  receiver_window window;
  EXPECT_FALSE(is_readable(window.descriptor()));
  EXPECT_EQ(window.refusal(), "");
  window.set_durable(lsn{100}, lsn{100});
  window.set_durable(lsn{200}, lsn{200});
  EXPECT_TRUE(is_readable(window.descriptor()));
  window.clear();
  EXPECT_FALSE(is_readable(window.descriptor()));
  EXPECT_EQ(window.durable(), lsn{200});
  window.refuse("why");
  EXPECT_TRUE(is_readable(window.descriptor()));
  window.clear();
  EXPECT_EQ(window.refusal(), "why");
  window.clear();
}

TEST(receiver_window, wakes_its_reader_where_it_has_to_pause_and_where_it_may_go_on) {
  receiver_window window;
  window.set_paused(false);
  EXPECT_FALSE(is_readable(window.descriptor()));
  for (const bool paused : {true, false}) {
    window.set_paused(paused);
    EXPECT_TRUE(is_readable(window.descriptor()));
    EXPECT_EQ(window.is_paused(), paused);
    window.clear();
    window.set_paused(paused);
    EXPECT_FALSE(is_readable(window.descriptor()));
  }
}

TEST(receiver_window, counts_what_the_server_wrote_and_is_not_durable_here) {
  receiver_window window;
  EXPECT_EQ(window.lag_bytes(), 0u);
  window.set_server_end(lsn{150});
  EXPECT_EQ(window.lag_bytes(), 150u);
  window.set_durable(lsn{100}, lsn{100});
  EXPECT_EQ(window.lag_bytes(), 50u);
  // The server's word may be older than what has come since.
  window.set_durable(lsn{200}, lsn{200});
  EXPECT_EQ(window.lag_bytes(), 0u);
}

TEST(arrived_views, are_taken_once_in_their_order_and_wake_the_reader) {
  arrived_views arrived;
  EXPECT_FALSE(is_readable(arrived.descriptor()));
  EXPECT_TRUE(arrived.take().empty());
  arrived.put(7, view_until(lsn{70}));
  arrived.put(8, fail(errc::not_arrived, "late"));
  EXPECT_TRUE(is_readable(arrived.descriptor()));
  const auto answers = arrived.take();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].tag, 7u);
  EXPECT_EQ((*answers[0].view)->until(), lsn{70});
  EXPECT_EQ(answers[1].tag, 8u);
  EXPECT_EQ(answers[1].view.error().code, errc::not_arrived);
  EXPECT_FALSE(is_readable(arrived.descriptor()));
  EXPECT_TRUE(arrived.take().empty());
}

TEST(arrived_views, of_many_threads_all_come_and_none_without_a_wake_up) {
  const auto arrived = std::make_shared<arrived_views>();
  constexpr uint64_t threads = 4, each = 500;
  std::vector<std::jthread> writers;
  for (uint64_t t = 0; t < threads; ++t)
    writers.emplace_back([=] {
      for (uint64_t i = 0; i < each; ++i)
        tagged_waiter(arrived, t * each + i).deliver(view_until(lsn{1}));
    });
  std::vector<bool> seen(threads * each);
  for (uint64_t count = 0; count < threads * each;) {
    pollfd polled{arrived->descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&polled, 1, 10'000), 1) << count;
    for (const auto& answer : arrived->take()) {
      ASSERT_FALSE(seen.at(answer.tag));
      seen[answer.tag] = true;
      ++count;
    }
  }
}

TEST(arrived_views, a_waiter_that_is_dropped_says_that_no_answer_comes) {
  const auto arrived = std::make_shared<arrived_views>();
  { const tagged_waiter dropped(arrived, 3); }
  { tagged_waiter(arrived, 4).deliver(view_until(lsn{40})); }
  const auto answers = arrived->take();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].tag, 3u);
  ASSERT_FALSE(answers[0].view);
  EXPECT_EQ(answers[0].view.error().code, errc::unavailable);
  EXPECT_TRUE(answers[1].view);
}

}  // namespace
}  // namespace zenith::actors
