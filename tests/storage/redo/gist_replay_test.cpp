// PostgreSQL judges the redo of gist indexes.
#include <gtest/gtest.h>

#include "tests/support/damaged_replay.hpp"
#include "tests/support/gist_workload.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::testing {
namespace {

TEST(gist_replay, every_gist_record_gives_the_page_that_postgresql_had) {
  replay_server real;
  run_gist_workload(real.conninfo(), 1);
  damaged_replay damaged(pg::resource_manager::gist, 1, 3);
  const auto report = real.replay(std::ref(damaged));
  const auto sum = report.total("Gist/");
  EXPECT_EQ(sum.mismatched, 0u) << report.text();
  EXPECT_EQ(sum.failed, 0u) << report.text();
  EXPECT_EQ(report.wal_error, "") << report.text();
  for (const auto* type : {"PAGE_UPDATE", "DELETE", "PAGE_SPLIT", "PAGE_DELETE"})
    EXPECT_GT(report.total(std::string("Gist/") + type).checked, 0u) << type << report.text();
  EXPECT_GT(report.total("Gist/PAGE_REUSE").seen, 0u) << report.text();
  EXPECT_GT(damaged.refused(), 100u);
}

}  // namespace
}  // namespace zenith::testing
