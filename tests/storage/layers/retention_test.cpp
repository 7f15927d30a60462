// retention: which states are kept.
#include "storage/layers/retention.hpp"

#include <gtest/gtest.h>

namespace zenith::layers {
namespace {

TEST(retention, without_a_horizon_keeps_everything) {
  const retention all{{}, {lsn{10}}};
  EXPECT_TRUE(all.kept_states().empty());
  EXPECT_TRUE(all.keeps(lsn{1}));
}

TEST(retention, keeps_what_is_at_or_after_the_horizon_and_its_points) {
  const retention some{lsn{100}, {lsn{10}, lsn{10}, lsn{99}, lsn{100}, lsn{200}}};
  EXPECT_EQ(some.kept_states(), (std::vector{lsn{10}, lsn{99}, lsn{100}}));
  EXPECT_FALSE(some.keeps(lsn{98}));
  for (const uint64_t at : {10, 99, 100, 101, 500}) EXPECT_TRUE(some.keeps(lsn{at})) << at;
}

}  // namespace
}  // namespace zenith::layers
