// Following a promoted server: where its history fits ours, and where it does not.
#include "storage/repository/follow_plan.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

const std::vector<pg_timeline_start> ours{{pg_timeline{1}, lsn{1}}, {pg_timeline{2}, lsn{0x2000}}};
using past = backup::past_pg_timeline;

void expect_refused(const result<follow_plan>& plan, const std::string& words) {
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, errc::conflict);
  EXPECT_NE(plan.error().message.find(words), std::string::npos) << plan.error().message;
}

TEST(follow_plan, goes_on_at_once_where_all_of_the_pg_timeline_that_was_left_is_held) {
  const auto plan =
      plan_following(ours, lsn{0x3000}, pg_timeline{3},
                     {past{pg_timeline{1}, lsn{0x2000}}, {pg_timeline{2}, lsn{0x3000}}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->next, pg_timeline{3});
  EXPECT_EQ(plan->left_at, lsn{0x3000});
  EXPECT_TRUE(plan->now);
}

TEST(follow_plan, takes_the_rest_of_the_pg_timeline_that_was_left_first) {
  const auto plan =
      plan_following(ours, lsn{0x2800}, pg_timeline{3},
                     {past{pg_timeline{1}, lsn{0x2000}}, {pg_timeline{2}, lsn{0x3000}}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->now);
  EXPECT_EQ(plan->left_at, lsn{0x3000});
}

TEST(follow_plan, goes_through_each_pg_timeline_of_a_server_that_was_promoted_twice) {
  const std::vector<past> history{
      {pg_timeline{1}, lsn{0x2000}}, {pg_timeline{2}, lsn{0x3000}}, {pg_timeline{5}, lsn{0x4000}}};
  const auto plan = plan_following(ours, lsn{0x3000}, pg_timeline{6}, history);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->next, pg_timeline{5});
  auto later = ours;
  later.push_back({pg_timeline{5}, lsn{0x3000}});
  const auto last = plan_following(later, lsn{0x4000}, pg_timeline{6}, history);
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(last->next, pg_timeline{6});
}

TEST(follow_plan, of_a_server_that_lacks_wal_is_refused_with_both_lsns) {
  expect_refused(
      plan_following(ours, lsn{0x3008}, pg_timeline{3},
                     {past{pg_timeline{1}, lsn{0x2000}}, {pg_timeline{2}, lsn{0x3000}}}),
      "left pg_timeline 2 at 0/3000 and went on as pg_timeline 3, but the timeline holds "
      "WAL of pg_timeline 2 up to 0/3008");
}

TEST(follow_plan, of_another_history_is_refused) {
  expect_refused(
      plan_following(ours, lsn{0x3000}, pg_timeline{3}, {past{pg_timeline{1}, lsn{0x2000}}}),
      "does not know pg_timeline 2");
  expect_refused(plan_following(ours, lsn{0x3000}, pg_timeline{3},
                                {past{pg_timeline{1}, lsn{0x1F00}}, {pg_timeline{2}, lsn{0x3000}}}),
                 "leaves pg_timeline 1 at 0/1F00, expected at 0/2000");
  expect_refused(plan_following(ours, lsn{0x3000}, pg_timeline{3}, {}), "does not know");
}

}  // namespace
}  // namespace zenith::repository
