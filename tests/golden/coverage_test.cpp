// What the golden corpus holds: a corpus made anew must not lose a record type unseen.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/golden_replay.hpp"

namespace zenith::testing {
namespace {

/// All that stock PostgreSQL 15 can be made to write at wal_level logical, as pg_waldump names
/// them. Of the 123 that it knows, core never writes XLOG/NOOP, HOT_UPDATE+INIT cannot happen, and
/// Gist/ASSIGN_LSN needs wal_level minimal.
const std::set<std::string> all_types{"BRIN/CREATE_INDEX",
                                      "BRIN/DESUMMARIZE",
                                      "BRIN/INSERT",
                                      "BRIN/INSERT+INIT",
                                      "BRIN/REVMAP_EXTEND",
                                      "BRIN/SAMEPAGE_UPDATE",
                                      "BRIN/UPDATE",
                                      "BRIN/UPDATE+INIT",
                                      "Btree/DEDUP",
                                      "Btree/DELETE",
                                      "Btree/INSERT_LEAF",
                                      "Btree/INSERT_META",
                                      "Btree/INSERT_POST",
                                      "Btree/INSERT_UPPER",
                                      "Btree/MARK_PAGE_HALFDEAD",
                                      "Btree/META_CLEANUP",
                                      "Btree/NEWROOT",
                                      "Btree/REUSE_PAGE",
                                      "Btree/SPLIT_L",
                                      "Btree/SPLIT_R",
                                      "Btree/UNLINK_PAGE",
                                      "Btree/UNLINK_PAGE_META",
                                      "Btree/VACUUM",
                                      "CLOG/TRUNCATE",
                                      "CLOG/ZEROPAGE",
                                      "CommitTs/TRUNCATE",
                                      "CommitTs/ZEROPAGE",
                                      "Database/CREATE_FILE_COPY",
                                      "Database/CREATE_WAL_LOG",
                                      "Database/DROP",
                                      "Generic/Generic",
                                      "Gin/CREATE_PTREE",
                                      "Gin/DELETE_LISTPAGE",
                                      "Gin/DELETE_PAGE",
                                      "Gin/INSERT",
                                      "Gin/INSERT_LISTPAGE",
                                      "Gin/SPLIT",
                                      "Gin/UPDATE_META_PAGE",
                                      "Gin/VACUUM_DATA_LEAF_PAGE",
                                      "Gin/VACUUM_PAGE",
                                      "Gist/DELETE",
                                      "Gist/PAGE_DELETE",
                                      "Gist/PAGE_REUSE",
                                      "Gist/PAGE_SPLIT",
                                      "Gist/PAGE_UPDATE",
                                      "Hash/ADD_OVFL_PAGE",
                                      "Hash/DELETE",
                                      "Hash/INIT_BITMAP_PAGE",
                                      "Hash/INIT_META_PAGE",
                                      "Hash/INSERT",
                                      "Hash/MOVE_PAGE_CONTENTS",
                                      "Hash/SPLIT_ALLOCATE_PAGE",
                                      "Hash/SPLIT_CLEANUP",
                                      "Hash/SPLIT_COMPLETE",
                                      "Hash/SPLIT_PAGE",
                                      "Hash/SQUEEZE_PAGE",
                                      "Hash/UPDATE_META_PAGE",
                                      "Hash/VACUUM_ONE_PAGE",
                                      "Heap/DELETE",
                                      "Heap/HEAP_CONFIRM",
                                      "Heap/HOT_UPDATE",
                                      "Heap/INPLACE",
                                      "Heap/INSERT",
                                      "Heap/INSERT+INIT",
                                      "Heap/LOCK",
                                      "Heap/TRUNCATE",
                                      "Heap/UPDATE",
                                      "Heap/UPDATE+INIT",
                                      "Heap2/FREEZE_PAGE",
                                      "Heap2/LOCK_UPDATED",
                                      "Heap2/MULTI_INSERT",
                                      "Heap2/MULTI_INSERT+INIT",
                                      "Heap2/NEW_CID",
                                      "Heap2/PRUNE",
                                      "Heap2/REWRITE",
                                      "Heap2/VACUUM",
                                      "Heap2/VISIBLE",
                                      "LogicalMessage/MESSAGE",
                                      "MultiXact/CREATE_ID",
                                      "MultiXact/TRUNCATE_ID",
                                      "MultiXact/ZERO_MEM_PAGE",
                                      "MultiXact/ZERO_OFF_PAGE",
                                      "RelMap/UPDATE",
                                      "ReplicationOrigin/DROP",
                                      "ReplicationOrigin/SET",
                                      "SPGist/ADD_LEAF",
                                      "SPGist/ADD_NODE",
                                      "SPGist/MOVE_LEAFS",
                                      "SPGist/PICKSPLIT",
                                      "SPGist/SPLIT_TUPLE",
                                      "SPGist/VACUUM_LEAF",
                                      "SPGist/VACUUM_REDIRECT",
                                      "SPGist/VACUUM_ROOT",
                                      "Sequence/LOG",
                                      "Standby/INVALIDATIONS",
                                      "Standby/LOCK",
                                      "Standby/RUNNING_XACTS",
                                      "Storage/CREATE",
                                      "Storage/TRUNCATE",
                                      "Tablespace/CREATE",
                                      "Tablespace/DROP",
                                      "Transaction/ABORT",
                                      "Transaction/ABORT_PREPARED",
                                      "Transaction/ASSIGNMENT",
                                      "Transaction/COMMIT",
                                      "Transaction/COMMIT_PREPARED",
                                      "Transaction/INVALIDATION",
                                      "Transaction/PREPARE",
                                      "XLOG/BACKUP_END",
                                      "XLOG/CHECKPOINT_ONLINE",
                                      "XLOG/CHECKPOINT_SHUTDOWN",
                                      "XLOG/END_OF_RECOVERY",
                                      "XLOG/FPI",
                                      "XLOG/FPI_FOR_HINT",
                                      "XLOG/FPW_CHANGE",
                                      "XLOG/NEXTOID",
                                      "XLOG/OVERWRITE_CONTRECORD",
                                      "XLOG/PARAMETER_CHANGE",
                                      "XLOG/RESTORE_POINT",
                                      "XLOG/SWITCH"};

struct contents {
  std::set<std::string> types;
  std::set<uint8_t> image_infos;  // of images that are applied
  size_t check_images = 0;
  size_t bytes = 0;
};

contents contents_of_all() {
  contents found;
  for (const auto& name : golden_names()) {
    const auto scenario = load_golden(name);
    found.bytes += scenario.wal.size();
    for_each_golden_record(scenario, [&](const wal::raw_record&, const pg::record& record) {
      found.types.insert(pg::resource_manager_name(record.rmgr) + "/" +
                         pg::record_name(record.rmgr, record.info));
      for (const auto& block : record.blocks()) {
        if (!block.has_image) continue;
        if (block.image.apply)
          found.image_infos.insert(block.image.info);
        else
          ++found.check_images;
      }
    });
  }
  return found;
}

TEST(golden_corpus, holds_every_record_type_and_every_kind_of_image) {
  const auto found = contents_of_all();
  EXPECT_EQ(all_types.size(), 120u);
  EXPECT_EQ(found.types, all_types);
  // xlogrecord.h: 1 with a hole, 2 applied, 4 pglz, 8 lz4, 16 zstd.
  for (const uint8_t info : {2, 3, 7, 11, 19})
    EXPECT_TRUE(found.image_infos.contains(info)) << int{info};
  EXPECT_GT(found.check_images, 5000u);
}

}  // namespace
}  // namespace zenith::testing
