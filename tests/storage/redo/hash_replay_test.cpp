// Tests of hash redo by the WAL of a real server, which carries each page as it must become.
#include <gtest/gtest.h>

#include "tests/support/damaged_replay.hpp"
#include "tests/support/hash_workload.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::redo {
namespace {

TEST(hash_replay, every_page_equals_what_postgresql_made_of_it) {
  testing::replay_server server;
  testing::run_hash_workload(server.conninfo());
  testing::damaged_replay damaged(pg::resource_manager::hash, 1, 5);
  const auto report = server.replay(std::ref(damaged));
  SCOPED_TRACE(report.text());
  EXPECT_EQ(report.wal_error, "");
  for (const auto* type :
       {"INIT_META_PAGE", "INIT_BITMAP_PAGE", "INSERT", "ADD_OVFL_PAGE", "SPLIT_ALLOCATE_PAGE",
        "SPLIT_COMPLETE", "MOVE_PAGE_CONTENTS", "SQUEEZE_PAGE", "DELETE", "SPLIT_CLEANUP",
        "UPDATE_META_PAGE", "VACUUM_ONE_PAGE"})
    EXPECT_GT(report.total(std::string("Hash/") + type).checked, 0u) << type;
  EXPECT_GT(report.total("Hash/SPLIT_PAGE").applied, 0u);
  const auto hash = report.total("Hash/");
  EXPECT_EQ(hash.mismatched, 0u);
  EXPECT_EQ(hash.failed, 0u);
  EXPECT_EQ(hash.unknown, 0u);
  EXPECT_GT(damaged.tried(), 1000u);
  EXPECT_GT(damaged.refused(), 100u);
}

// PostgreSQL changes two kinds of pages after it has restored their images, redo does not.
TEST(hash_replay, full_page_images_and_the_records_between_them_fit_together) {
  testing::replay_server server("full_page_writes = on\nwal_compression = lz4\n");
  testing::run_hash_workload(server.conninfo());
  const auto report = server.replay();
  SCOPED_TRACE(report.text());
  EXPECT_EQ(report.wal_error, "");
  const auto split = report.total("Hash/SPLIT");
  EXPECT_GT(split.applied, split.checked + report.total("Hash/SPLIT_PAGE").applied);
  const auto hash = report.total("Hash/");
  EXPECT_GT(hash.checked, 0u);
  EXPECT_EQ(hash.mismatched, 0u);
  EXPECT_EQ(hash.failed, 0u);
}

}  // namespace
}  // namespace zenith::redo
