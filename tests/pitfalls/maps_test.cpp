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
    {"copied", "copy copied (id) from program 'seq 1 3'", "desc: MULTI_INSERT"},
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

// What the map says is free in each block (pg_freespacemap).
std::vector<int> recorded_space(testing::postgres_server& server) {
  std::vector<int> found;
  for (const auto& row : server.rows("select avail from pg_freespace('t') order by blkno"))
    found.push_back(std::stoi(row[0]));
  return found;
}

TEST(free_space_maps, of_a_new_server_know_at_least_what_a_standby_keeps_up) {
  judged_server judged;
  judged.server().start();
  judged.run({"create extension pg_freespacemap"});
  judged.take_base();
  judged.run({"create table t (id int, v text)",
              "insert into t select i, repeat('x', 400) from generate_series(1, 2000) i",
              "delete from t where id % 2 = 0", "vacuum t"});
  const relation_id t =
      judged_server::relation_of(judged.server().value("select pg_relation_filepath('t')"));
  const lsn vacuumed = judged.mark();
  judged.run({"insert into t select i, repeat('y', 400) from generate_series(1, 200) i"});
  const lsn used = judged.mark();
  judged.ingest();

  // No record speaks of the map.
  EXPECT_EQ(judged.count(judged.base(), used, {to_string(t), "fork fsm"}), 0u);
  for (const lsn mark : {vacuumed, used}) {
    testing::postgres_server recovered{judged.directory(), judged.recover(mark)};
    recovered.start();
    const std::vector<int> theirs = recorded_space(recovered);
    recovered.stop();
    const auto server = judged.start_at(mark);
    const std::vector<int> ours = recorded_space(*server);
    ASSERT_EQ(ours.size(), theirs.size());
    ASSERT_GT(ours.size(), 90u);
    // Redo leaves the map alone where much stays free (heapam.c, heap_xlog_insert), so that after
    // inserts theirs may promise more than there is.
    int known = 0;
    for (size_t block = 0; block < ours.size(); ++block) {
      if (theirs[block] > 0) EXPECT_GT(ours[block], 0) << "block " << block;
      if (mark == vacuumed) EXPECT_GE(ours[block], theirs[block]) << "block " << block;
      if (theirs[block] > 0) ++known;
    }
    EXPECT_GT(known, 50);
    const std::string size = server->value("select pg_relation_size('t')");
    server->execute("insert into t select i, repeat('z', 400) from generate_series(1, 500) i");
    EXPECT_EQ(server->value("select pg_relation_size('t')"), size) << "freed space is not used";
  }
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
