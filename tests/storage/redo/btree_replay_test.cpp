// PostgreSQL judges the redo of btrees, sequences and generic records.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/base_pages.hpp"
#include "tests/support/btree_workload.hpp"
#include "tests/support/damaged_replay.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::testing {
namespace {

/// Every page of these records equals what the server had, and they were really compared.
void expect_no_mismatch(const replay_report& report, const std::string& prefix) {
  const auto sum = report.total(prefix);
  EXPECT_EQ(sum.mismatched, 0u) << report.text();
  EXPECT_EQ(sum.failed, 0u) << report.text();
  EXPECT_EQ(sum.unknown, 0u) << report.text();
  EXPECT_GT(sum.checked, 0u) << report.text();
  EXPECT_EQ(report.wal_error, "") << report.text();
}

TEST(btree_replay, every_btree_record_gives_the_page_that_postgresql_had) {
  replay_server real;
  run_btree_workload(real.conninfo(), 1);
  damaged_replay damaged(pg::resource_manager::btree, 1, 3);
  const auto report = real.replay(std::ref(damaged));
  expect_no_mismatch(report, "Btree/");
  for (const auto* type : {"INSERT_LEAF", "INSERT_UPPER", "INSERT_META", "SPLIT_L", "SPLIT_R",
                           "INSERT_POST", "DEDUP", "DELETE", "UNLINK_PAGE", "UNLINK_PAGE_META",
                           "NEWROOT", "MARK_PAGE_HALFDEAD", "VACUUM", "META_CLEANUP"})
    EXPECT_GT(report.total(std::string("Btree/") + type).checked, 0u) << type << report.text();
  EXPECT_GT(report.total("Btree/REUSE_PAGE").seen, 0u) << report.text();
  EXPECT_GT(damaged.tried(), 1000u);
  EXPECT_GT(damaged.refused(), 100u);
}

TEST(btree_replay, every_sequence_record_gives_the_page_that_postgresql_had) {
  replay_server real;
  run_sequence_workload(real.conninfo());
  damaged_replay damaged(pg::resource_manager::sequence, 1, 1);
  expect_no_mismatch(real.replay(std::ref(damaged)), "Sequence/");
}

TEST(btree_replay, every_generic_record_gives_the_page_that_postgresql_had) {
  replay_server real;
  run_generic_workload(real.conninfo(), 1);
  damaged_replay damaged(pg::resource_manager::generic, 1, 1);
  expect_no_mismatch(real.replay(std::ref(damaged)), "Generic/");
  EXPECT_GT(damaged.refused(), 0u);
}

TEST(btree_replay, a_page_that_differs_by_one_byte_is_found) {
  replay_server real;
  const auto path = real.server().value("select pg_relation_filepath('pg_class')");
  {
    std::fstream file(real.base() / path, std::ios::binary | std::ios::in | std::ios::out);
    // A byte of a tuple that nothing here changes.
    file.seekp(static_cast<std::streamoff>(page_size_bytes) - 100);
    file.put('\x5a');
    ASSERT_TRUE(file.good());
  }
  for (int i = 0; i < 30; ++i)
    real.server().execute("create table t" + std::to_string(i) + " (a int)");
  const auto report = real.replay();
  EXPECT_GT(report.total("Heap").mismatched, 0u) << report.text();
  EXPECT_GT(report.problem_count, 0u);
}

}  // namespace
}  // namespace zenith::testing
