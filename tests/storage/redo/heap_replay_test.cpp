// Tests of heap redo by the WAL of a real server, which carries each page as it must become.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/damaged_replay.hpp"
#include "tests/support/heap_workload.hpp"
#include "tests/support/replay_server.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// Which flags the records of one kind had, of those that change what redo does.
class flags_seen {
 public:
  void operator()(const pg::record& record) {
    const auto kind = std::pair{record.rmgr, record.opcode() & XLOG_HEAP_OPMASK};
    if (const auto at = places_.find(kind); at != places_.end())
      seen_[kind] |= std::to_integer<uint8_t>(record.main_data[at->second]);
  }
  unsigned of(pg::resource_manager rmgr, int opcode) { return seen_[{rmgr, opcode}]; }

 private:
  using kind = std::pair<pg::resource_manager, int>;
  static constexpr auto heap = pg::resource_manager::heap;
  static constexpr auto heap2 = pg::resource_manager::heap2;
  const std::map<kind, size_t> places_{
      {{heap, XLOG_HEAP_INSERT}, offsetof(xl_heap_insert, flags)},
      {{heap, XLOG_HEAP_DELETE}, offsetof(xl_heap_delete, flags)},
      {{heap, XLOG_HEAP_UPDATE}, offsetof(xl_heap_update, flags)},
      {{heap, XLOG_HEAP_HOT_UPDATE}, offsetof(xl_heap_update, flags)},
      {{heap, XLOG_HEAP_LOCK}, offsetof(xl_heap_lock, flags)},
      {{heap2, XLOG_HEAP2_MULTI_INSERT}, offsetof(xl_heap_multi_insert, flags)},
      {{heap2, XLOG_HEAP2_LOCK_UPDATED}, offsetof(xl_heap_lock_updated, flags)}};
  std::map<kind, unsigned> seen_;
};

TEST(heap_replay, every_page_equals_what_postgresql_made_of_it) {
  using rm = pg::resource_manager;
  testing::replay_server server;
  testing::run_heap_workload(server.conninfo());
  flags_seen flags;
  testing::damaged_replay damaged(rm::heap, 1, 10), damaged2(rm::heap2, 2, 3);
  const auto report =
      server.replay([&](const auto& record, const auto& reference, const page& before) {
        flags(record);
        damaged(record, reference, before);
        damaged2(record, reference, before);
      });
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

  const auto expect_flags = [&](rm rmgr, int opcode, unsigned wanted) {
    EXPECT_EQ(flags.of(rmgr, opcode) & wanted, wanted) << "operation " << opcode;
  };
  expect_flags(rm::heap, XLOG_HEAP_INSERT, XLH_INSERT_ALL_VISIBLE_CLEARED);
  expect_flags(rm::heap, XLOG_HEAP_DELETE,
               XLH_DELETE_ALL_VISIBLE_CLEARED | XLH_DELETE_IS_SUPER | XLH_DELETE_IS_PARTITION_MOVE);
  expect_flags(rm::heap, XLOG_HEAP_UPDATE,
               XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED | XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED);
  expect_flags(
      rm::heap, XLOG_HEAP_HOT_UPDATE,
      XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED | XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD);
  expect_flags(rm::heap, XLOG_HEAP_LOCK, XLH_LOCK_ALL_FROZEN_CLEARED);
  expect_flags(rm::heap2, XLOG_HEAP2_MULTI_INSERT,
               XLH_INSERT_ALL_VISIBLE_CLEARED | XLH_INSERT_ALL_FROZEN_SET);
  EXPECT_GT(damaged.refused(), 100u);
  EXPECT_GT(damaged2.refused(), 100u);
}

TEST(heap_replay, full_page_images_and_the_records_between_them_fit_together) {
  testing::replay_server server("full_page_writes = on\nwal_compression = lz4\n");
  testing::run_heap_workload(server.conninfo());
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
