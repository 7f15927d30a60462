// transaction_times: layers are asked in order, each up to where it counts.
#include "storage/layers/transaction_times.hpp"

#include <gtest/gtest.h>

#include "storage/layers/memory_layer.hpp"

namespace zenith::layers {
namespace {

TEST(transaction_times, of_an_ancestor_only_what_ended_before_the_branch_counts) {
  const auto parent = std::make_shared<memory_layer>(lsn{96});
  parent->put_transaction_end(10, lsn{100}, lsn{108});
  parent->put_transaction_end(30, lsn{200}, lsn{208});
  parent->put_transaction_end(50, lsn{300}, lsn{308});
  parent->publish(lsn{308});
  const auto child = std::make_shared<memory_layer>(lsn{208});
  child->put_transaction_end(40, lsn{300}, lsn{308});
  child->publish(lsn{308});
  const std::vector<layer_reference> all{{child, lsn::max()}, {parent, lsn{208}}};
  EXPECT_EQ(first_later_than(all, 5).value()->start, lsn{100});
  EXPECT_EQ(first_later_than(all, 10).value()->start, lsn{200});
  EXPECT_EQ(first_later_than(all, 30).value(), (transaction_end{40, lsn{300}, lsn{308}}));
  EXPECT_EQ(first_later_than(all, 30, lsn{307}).value(), std::nullopt);
  EXPECT_EQ(first_later_than(all, 40).value(), std::nullopt);
  EXPECT_EQ(newest_time(all, lsn::max()).value(), 40);
  EXPECT_EQ(newest_time(all, lsn{307}).value(), 30);
  EXPECT_EQ(newest_time(all, lsn{107}).value(), std::nullopt);
}

TEST(transaction_times, a_clock_that_went_back_hides_nothing_in_the_layer_above) {
  const auto below = std::make_shared<memory_layer>(lsn{96});
  below->put_transaction_end(50, lsn{100}, lsn{108});
  below->publish(lsn{108});
  const auto above = std::make_shared<memory_layer>(lsn{108});
  above->put_transaction_end(20, lsn{108}, lsn{116}, 50);
  above->put_transaction_end(60, lsn{116}, lsn{124}, 50);
  above->publish(lsn{124});
  const std::vector<layer_reference> all{{above, lsn::max()}, {below, lsn::max()}};
  EXPECT_EQ(first_later_than(all, 10).value()->start, lsn{100});
  EXPECT_EQ(first_later_than(all, 50).value()->start, lsn{116});
  EXPECT_EQ(newest_time(all, lsn{116}).value(), 50);
}

}  // namespace
}  // namespace zenith::layers
