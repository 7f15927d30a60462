// Tests of heap redo by the WAL of a real server, which carries each page as it must become.
#include <gtest/gtest.h>

#include "tests/support/heap_workload.hpp"
#include "tests/support/replay_server.hpp"

namespace zenith::redo {
namespace {

TEST(heap_replay, every_page_equals_what_postgresql_made_of_it) {
  testing::replay_server server;
  testing::run_heap_workload(server.server());
  const auto report = server.replay();
  SCOPED_TRACE(report.text());
  EXPECT_EQ(report.wal_error, "");
  for (const auto* type :
       {"Heap/INSERT", "Heap/DELETE", "Heap/UPDATE", "Heap/HOT_UPDATE", "Heap/HEAP_CONFIRM",
        "Heap/LOCK", "Heap/INPLACE", "Heap/INSERT+INIT", "Heap/UPDATE+INIT", "Heap2/PRUNE",
        "Heap2/VACUUM", "Heap2/FREEZE_PAGE", "Heap2/VISIBLE", "Heap2/MULTI_INSERT",
        "Heap2/MULTI_INSERT+INIT", "Heap2/LOCK_UPDATED"})
    EXPECT_GT(report.total(type).checked, 0u) << type;
  for (const auto* type : {"Heap/TRUNCATE", "Heap2/NEW_CID", "Heap2/REWRITE"})
    EXPECT_GT(report.total(type).seen, 0u) << type;
  const auto heap = report.total("Heap");
  EXPECT_EQ(heap.mismatched, 0u);
  EXPECT_EQ(heap.failed, 0u);
  EXPECT_EQ(heap.unknown, 0u);
}

TEST(heap_replay, full_page_images_and_the_records_between_them_fit_together) {
  testing::replay_server server("full_page_writes = on\nwal_compression = lz4\n");
  testing::run_heap_workload(server.server());
  const auto report = server.replay();
  SCOPED_TRACE(report.text());
  EXPECT_EQ(report.wal_error, "");
  const auto heap = report.total("Heap");
  EXPECT_GT(heap.checked, 0u);
  EXPECT_GT(heap.applied, heap.checked);
  EXPECT_EQ(heap.mismatched, 0u);
  EXPECT_EQ(heap.failed, 0u);
}

}  // namespace
}  // namespace zenith::redo
