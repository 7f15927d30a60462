// Tests of BRIN and SP-GiST redo by the WAL of a real server, which carries each page as it must
// become.
#include <gtest/gtest.h>

#include "tests/support/damaged_replay.hpp"
#include "tests/support/index_workload.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::redo {
namespace {

void expect_no_mismatch(const testing::replay_report& report, const std::string& prefix,
                        std::initializer_list<const char*> types) {
  EXPECT_EQ(report.wal_error, "");
  for (const auto* type : types) EXPECT_GT(report.total(prefix + type).checked, 0u) << type;
  const auto sum = report.total(prefix);
  EXPECT_EQ(sum.mismatched, 0u);
  EXPECT_EQ(sum.failed, 0u);
  EXPECT_EQ(sum.unknown, 0u);
}

TEST(index_replay, every_brin_page_equals_what_postgresql_made_of_it) {
  testing::replay_server server;
  testing::run_brin_workload(server.conninfo());
  testing::damaged_replay damaged(pg::resource_manager::brin, 1, 2);
  const auto report = server.replay(std::ref(damaged));
  SCOPED_TRACE(report.text());
  expect_no_mismatch(report, "BRIN/",
                     {"CREATE_INDEX", "INSERT", "INSERT+INIT", "UPDATE", "UPDATE+INIT",
                      "SAMEPAGE_UPDATE", "REVMAP_EXTEND", "DESUMMARIZE"});
  EXPECT_GT(damaged.refused(), 100u);
}

TEST(index_replay, every_spgist_page_equals_what_postgresql_made_of_it) {
  testing::replay_server server;
  testing::run_spgist_workload(server.conninfo());
  testing::damaged_replay damaged(pg::resource_manager::spgist, 1, 10);
  const auto report = server.replay(std::ref(damaged));
  SCOPED_TRACE(report.text());
  expect_no_mismatch(report, "SPGist/",
                     {"ADD_LEAF", "MOVE_LEAFS", "ADD_NODE", "SPLIT_TUPLE", "PICKSPLIT",
                      "VACUUM_LEAF", "VACUUM_ROOT", "VACUUM_REDIRECT"});
  EXPECT_GT(damaged.refused(), 100u);
}

TEST(index_replay, full_page_images_and_the_records_between_them_fit_together) {
  testing::replay_server server("full_page_writes = on\nwal_compression = off\n");
  testing::run_brin_workload(server.conninfo());
  testing::run_spgist_workload(server.conninfo());
  const auto report = server.replay();
  SCOPED_TRACE(report.text());
  expect_no_mismatch(report, "BRIN/", {});
  expect_no_mismatch(report, "SPGist/", {});
  EXPECT_GT(report.total("SPGist/").applied, report.total("SPGist/").checked);
}

}  // namespace
}  // namespace zenith::redo
