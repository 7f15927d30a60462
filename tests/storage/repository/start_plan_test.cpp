// How a server starts: which pg_timeline it gets, and whether a checkpoint is appended.
#include "storage/repository/start_plan.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

constexpr pg_timeline two{2};
constexpr pg_timeline three{3};

TEST(start_plan, a_server_after_a_clean_stop_goes_on_where_it_ended) {
  EXPECT_EQ(decide_start({start_purpose::write, true, true, two}),
            (start_decision{false, two, false}));
}

TEST(start_plan, the_first_server_of_a_branch_appends_its_checkpoint_on_the_branch_s_number) {
  EXPECT_EQ(decide_start({start_purpose::write, false, false, two}),
            (start_decision{true, two, false}));
  // The parent's shutdown checkpoint before the branch point is on another pg_timeline.
  EXPECT_EQ(decide_start({start_purpose::write, true, false, two}),
            (start_decision{true, two, false}));
}

TEST(start_plan, a_server_after_an_unclean_end_gets_the_next_number) {
  EXPECT_EQ(decide_start({start_purpose::write, false, true, two}),
            (start_decision{true, three, true}));
}

TEST(start_plan, a_read_only_server_never_takes_a_number) {
  EXPECT_EQ(decide_start({start_purpose::read, false, true, two}),
            (start_decision{true, two, false}));
  EXPECT_EQ(decide_start({start_purpose::read, true, true, two}),
            (start_decision{true, two, false}));
}

TEST(start_plan, a_copy_leaves_on_the_next_number_which_stays_free) {
  EXPECT_EQ(decide_start({start_purpose::copy, true, true, two}),
            (start_decision{true, three, false}));
}

}  // namespace
}  // namespace zenith::repository
