// Requests that wait for an LSN: each ends exactly once, by arrival, time, or the end.
#include "storage/repository/arrival_queue.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

using std::chrono::seconds;
const arrival_queue::time_point t0{};

TEST(arrival_queue, answers_in_lsn_order_what_has_arrived_and_nothing_else) {
  arrival_queue queue(10);
  std::vector<int> order;
  queue.add(lsn{30}, t0 + seconds(9), [&](arrival a) {
    EXPECT_EQ(a, arrival::arrived);
    order.push_back(30);
  });
  queue.add(lsn{10}, t0 + seconds(9), [&](arrival) { order.push_back(10); });
  queue.add(lsn{20}, t0 + seconds(9), [&](arrival) { order.push_back(20); });
  queue.advance(lsn{20});
  EXPECT_EQ(order, (std::vector{10, 20}));
  queue.advance(lsn{20});
  EXPECT_EQ(queue.size(), 1u);
  queue.advance(lsn{31});
  EXPECT_EQ(order, (std::vector{10, 20, 30}));
}

TEST(arrival_queue, ends_at_the_deadline_and_only_those_whose_time_is_over) {
  arrival_queue queue(10);
  int timed_out = 0;
  int ended = 0;
  const auto count = [&](arrival a) {
    timed_out += a == arrival::timed_out;
    ended += a == arrival::ended;
  };
  queue.add(lsn{1}, t0 + seconds(1), count);
  queue.add(lsn{2}, t0 + seconds(2), count);
  queue.expire(t0 + seconds(1));
  EXPECT_EQ(timed_out, 1);
  queue.end();
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(queue.empty());
}

TEST(arrival_queue, refuses_more_than_its_bound) {
  arrival_queue queue(1);
  EXPECT_TRUE(queue.add(lsn{1}, t0, [](arrival) {}));
  EXPECT_FALSE(queue.add(lsn{1}, t0, [](arrival) { FAIL(); }));
}

}  // namespace
}  // namespace zenith::repository
