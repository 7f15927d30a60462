// PostgreSQL judges the redo of gin indexes.
#include <gtest/gtest.h>

#include "tests/support/damaged_replay.hpp"
#include "tests/support/gin_workload.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::testing {
namespace {

TEST(gin_replay, every_gin_record_gives_the_page_that_postgresql_had) {
  replay_server real;
  run_gin_workload(real.conninfo(), 1);
  damaged_replay damaged(pg::resource_manager::gin, 1, 3);
  const auto report = real.replay(std::ref(damaged));
  const auto sum = report.total("Gin/");
  EXPECT_EQ(sum.mismatched, 0u) << report.text();
  EXPECT_EQ(sum.failed, 0u) << report.text();
  EXPECT_EQ(report.wal_error, "") << report.text();
  for (const auto* type : {"CREATE_PTREE", "INSERT", "VACUUM_DATA_LEAF_PAGE", "DELETE_PAGE",
                           "UPDATE_META_PAGE", "INSERT_LISTPAGE", "DELETE_LISTPAGE"})
    EXPECT_GT(report.total(std::string("Gin/") + type).checked, 0u) << type << report.text();
  // These two consist of images.
  for (const auto* type : {"SPLIT", "VACUUM_PAGE"})
    EXPECT_GT(report.total(std::string("Gin/") + type).applied, 0u) << type << report.text();
  EXPECT_GT(damaged.refused(), 100u);
}

}  // namespace
}  // namespace zenith::testing
