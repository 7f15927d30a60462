// Visibility maps that records change without naming them, and forks that shrink and grow again.
#include <gtest/gtest.h>

#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_server;
using testing::sql_session;

constexpr uint8_t all_visible = 1;
constexpr uint8_t all_frozen = 2;

// The two bits of a heap block on the map's first page (visibilitymap.c, HEAPBLK_TO_OFFSET).
uint8_t visibility(const judged_server& judged, lsn mark, const relation_id& table,
                   block_number block) {
  constexpr size_t page_header_bytes = 24;
  const bytes map = judged.page_at(mark, table, fork_number::vm, 0);
  return static_cast<uint8_t>(map[page_header_bytes + block / 4]) >> (block % 4 * 2) & 3;
}

// Tables whose first blocks are all visible and all frozen at the base, and one change to each.
struct clearing_case {
  const char* name;
  const char* provocation;
  const char* record;  ///< in pg_waldump's words
  uint8_t left = 0;    ///< of the block's two bits
};
constexpr clearing_case clearing_cases[] = {
    {"inserted", "insert into inserted values (0, 'new')", "desc: INSERT"},
    {"copied", "insert into copied select 0, 'new' from generate_series(1, 3)", "desc: INSERT"},
    {"deleted", "delete from deleted where id = 5", "desc: DELETE"},
    {"updated", "update updated set id = -5 where id = 5", "desc: UPDATE"},
    {"hot_updated", "update hot_updated set v = 'y' where id = 5", "desc: HOT_UPDATE"},
    {"locked", "select from locked where id = 5 for update", "desc: LOCK", all_visible},
};

TEST(visibility_map_bits, are_cleared_by_heap_records_that_carry_no_reference_to_the_map_page) {
  judged_server judged;
  judged.server().start();
  for (const clearing_case& one : clearing_cases) {
    const std::string name = one.name;
    // One block, three quarters full, so that what is inserted and updated stays in it.
    judged.run({"create table " + name + " (id int, v text) with (fillfactor = 75)",
                "insert into " + name + " select i, repeat('x', 60) from generate_series(1, 60) i",
                "create index on " + name + " (id)", "vacuum (freeze) " + name});
  }
  judged.take_base();
  std::vector<relation_id> tables;
  std::vector<lsn> marks{judged.mark()};
  for (const clearing_case& one : clearing_cases) {
    tables.push_back(judged_server::relation_of(
        judged.server().value("select pg_relation_filepath('" + std::string(one.name) + "')")));
    judged.run({one.provocation});
    marks.push_back(judged.mark());
  }
  judged.ingest();
  for (size_t i = 0; i < tables.size(); ++i) {
    const clearing_case& one = clearing_cases[i];
    SCOPED_TRACE(one.name);
    EXPECT_GE(judged.count(marks[i], marks[i + 1], {"rmgr: Heap", one.record}), 1u);
    EXPECT_EQ(judged.count(marks[i], marks[i + 1], {"fork vm"}), 0u);
    EXPECT_EQ(visibility(judged, marks[i], tables[i], 0), all_visible | all_frozen);
    EXPECT_EQ(visibility(judged, marks[i + 1], tables[i], 0), one.left);
  }
  judged.expect_recovery_agrees(marks[3]);
  judged.expect_recovery_agrees(marks.back());
}

TEST(visibility_map_bits, are_cleared_for_the_old_and_the_new_page_of_an_update_and_its_locks) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int primary key, v text) with (fillfactor = 100)",
              "insert into t select i, repeat('x', 500) from generate_series(1, 55) i",
              "vacuum (freeze) t"});
  judged.take_base();
  const relation_id t =
      judged_server::relation_of(judged.server().value("select pg_relation_filepath('t')"));
  const lsn before = judged.mark();
  const auto last_block =
      std::stoul(judged.server().value("select pg_relation_size('t') / 8192 - 1"));
  judged.run({"update t set v = repeat('y', 500) where id = 1"});
  const lsn updated = judged.mark();
  {
    // The lock follows the chain of updates: Heap2/LOCK_UPDATED. The snapshot is from before it.
    judged.run({"vacuum (freeze) t"});
    sql_session one{judged.server().conninfo()};
    sql_session two{judged.server().conninfo()};
    one.execute("begin");
    one.execute("update t set v = repeat('z', 500) where id = 2");
    two.execute("begin");
    two.execute("select from t where id = 2 for key share");
    two.execute("commit");
    one.execute("commit");
  }
  const lsn locked = judged.mark();
  judged.ingest();
  ASSERT_GT(last_block, 0u);
  EXPECT_EQ(judged.count(before, updated, {"rmgr: Heap", "desc: UPDATE"}), 1u);
  EXPECT_EQ(judged.count(before, updated, {"fork vm"}), 0u);
  for (const block_number block : {block_number{0}, static_cast<block_number>(last_block)}) {
    EXPECT_EQ(visibility(judged, before, t, block), all_visible | all_frozen);
    EXPECT_EQ(visibility(judged, updated, t, block), 0);
  }
  EXPECT_EQ(judged.count(updated, locked, {"rmgr: Heap2", "LOCK_UPDATED"}), 1u);
  judged.expect_recovery_agrees(updated);
  judged.expect_recovery_agrees(locked);
}

TEST(truncation_of_main_fsm_and_vm_forks, and_later_regrowth_bring_nothing_back) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int, v text)",
              "insert into t select i, repeat('x', 700) from generate_series(1, 2000) i",
              "vacuum (freeze) t"});
  judged.take_base();
  const relation_id t =
      judged_server::relation_of(judged.server().value("select pg_relation_filepath('t')"));
  const lsn full = judged.mark();
  judged.run({"delete from t where id > 100", "vacuum t"});
  const lsn cut = judged.mark();
  judged.run({"insert into t select i, repeat('y', 300) from generate_series(3000, 3500) i"});
  const lsn regrown = judged.mark();
  judged.run({"vacuum (freeze) t", "delete from t", "vacuum t"});
  const lsn empty = judged.mark();
  const std::string empty_map = judged.server().value("select pg_relation_size('t', 'fsm')");
  judged.run({"insert into t select i, repeat('z', 900) from generate_series(5000, 5100) i"});
  const lsn again = judged.mark();
  judged.ingest();

  // Flags 7: the heap, its visibility map and its free space map (storage_xlog.h, SMGR_TRUNCATE_*).
  EXPECT_EQ(judged.count(full, cut, {"rmgr: Storage", "TRUNCATE", "flags 7"}), 1u);
  EXPECT_EQ(judged.count(regrown, empty, {"rmgr: Storage", "TRUNCATE", "to 0 blocks"}), 1u);
  const block_number many = *judged.blocks_at(full, t, fork_number::main);
  const block_number few = *judged.blocks_at(cut, t, fork_number::main);
  EXPECT_GT(many, 150u);
  EXPECT_LT(few, 20u);
  EXPECT_GT(*judged.blocks_at(regrown, t, fork_number::main), few);
  EXPECT_LT(*judged.blocks_at(regrown, t, fork_number::main), many);
  EXPECT_EQ(judged.blocks_at(empty, t, fork_number::main), 0u);
  EXPECT_EQ(judged.blocks_at(empty, t, fork_number::vm), 0u);
  EXPECT_EQ(*judged.blocks_at(empty, t, fork_number::fsm) * page_size_bytes, std::stoul(empty_map));
  EXPECT_LT(judged.blocks_at(empty, t, fork_number::fsm),
            judged.blocks_at(full, t, fork_number::fsm));
  // The map said of the blocks that were cut off that all can see them: of new ones it does not.
  EXPECT_EQ(visibility(judged, full, t, few + 1), all_visible | all_frozen);
  EXPECT_EQ(visibility(judged, regrown, t, few + 1), 0);
  for (const lsn mark : {cut, regrown, empty, again}) judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(regrown);
  EXPECT_EQ(server->value("select count(*) || ' ' || sum(id) from t"), "601 1633300");
}

}  // namespace
}  // namespace zenith
