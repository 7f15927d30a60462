// Transactions that are under way, in parts or shared at the LSN where somebody looks.
#include <gtest/gtest.h>

#include <set>

#include "storage/postgres/slru.hpp"
#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_record;
using testing::judged_server;
using testing::sql_session;

// Inserts by so many subtransactions of one transaction; every third is rolled back.
void use_subtransactions(sql_session& session, int count) {
  session.execute(
      "do $$ begin for i in 1.." + std::to_string(count) +
      " loop begin insert into t values (i, 'sub'); if i % 3 = 0 then raise exception "
      "'back'; end if; exception when raise_exception then null; end; end loop; end $$");
}

TEST(subtransaction_overflow, leaves_every_status_right_while_alive_and_after) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int, v text)"});
  judged.take_base();
  const lsn before = judged.mark();
  // More of them than a backend's cache holds (proc.h, PGPROC_MAX_CACHED_SUBXIDS: 64).
  sql_session committed{judged.server().conninfo()};
  sql_session aborted{judged.server().conninfo()};
  for (sql_session* session : {&committed, &aborted}) {
    session->execute("begin");
    use_subtransactions(*session, 200);
  }
  judged.run({"checkpoint"});
  judged.run({"insert into t values (0, 'top')"});
  const lsn alive = judged.mark();
  const std::string next_xid = judged.server().value("select txid_current()");
  committed.execute("commit");
  aborted.execute("rollback");
  const lsn after = judged.mark();
  judged.ingest();

  EXPECT_GE(judged.count(before, alive, {"rmgr: Transaction", "ASSIGNMENT"}), 4u);
  EXPECT_GE(judged.count(before, alive, {"RUNNING_XACTS", "subxid ovf"}), 1u);
  EXPECT_EQ(judged.count(alive, after, {"rmgr: Transaction", "COMMIT", "subxacts:"}), 1u);
  EXPECT_EQ(judged.count(alive, after, {"rmgr: Transaction", "ABORT", "subxacts:"}), 1u);
  for (const lsn mark : {alive, after}) judged.expect_recovery_agrees(mark);
  // A server on the first has neither; its next transaction id is past all of theirs.
  const auto then = judged.start_at(alive);
  EXPECT_EQ(then->value("select count(*) from t"), "1");
  EXPECT_EQ(then->value("select txid_current()"), next_xid);
  const auto now = judged.start_at(after);
  EXPECT_EQ(now->value("select count(*) from t"), "135");
  now->execute("vacuum (freeze) t");
  EXPECT_EQ(now->value("select count(*) from t"), "135");
}

TEST(subtransaction_overflow, of_one_commit_over_several_pages_of_pg_xact_commits_all_of_it) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int, v text)"});
  judged.server().stop();
  // The subtransactions' ids lie on two pages.
  testing::run_ok({testing::pg_program("pg_resetwal"), "-D", judged.server().data().string(), "-x",
                   std::to_string(pg::xacts_per_page - 100)});
  judged.server().start();
  judged.take_base();
  const lsn before = judged.mark();
  judged.run({"begin"});
  use_subtransactions(judged.server().session(), 300);
  const lsn alive = judged.mark();
  judged.run({"commit"});
  const lsn after = judged.mark();
  judged.ingest();

  EXPECT_EQ(judged.count(before, alive, {"rmgr: CLOG", "ZEROPAGE page 1"}), 1u);
  EXPECT_EQ(judged.count(alive, after, {"rmgr: Transaction", "COMMIT", "subxacts:"}), 1u);
  for (const uint32_t page_number : {0u, 1u}) {
    const key page_of = key::slru(slru_kind::xact, page_number);
    EXPECT_NE(judged.value_at(alive, page_of), judged.value_at(after, page_of)) << page_number;
  }
  for (const lsn mark : {alive, after}) judged.expect_recovery_agrees(mark);
  EXPECT_EQ(judged.start_at(after)->value("select count(*) from t"), "200");
}

TEST(multixact_members, across_pages_are_all_there) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int primary key)", "insert into t select generate_series(1, 9)"});
  judged.server().stop();
  constexpr uint32_t a_page = pg::multixact_members_per_page;
  testing::run_ok({testing::pg_program("pg_resetwal"), "-D", judged.server().data().string(), "-O",
                   std::to_string(a_page - 3)});
  judged.server().start();
  judged.take_base();
  const lsn before = judged.mark();
  // Each locker of a row makes a multixact of all so far: of 2, of 3, and so on to 7 members.
  std::vector<std::unique_ptr<sql_session>> sessions;
  for (int i = 0; i < 7; ++i) {
    sessions.push_back(std::make_unique<sql_session>(judged.server().conninfo()));
    sessions.back()->execute("begin");
    sessions.back()->execute(i % 2 == 0 ? "select from t where id = 1 for key share"
                                        : "select from t where id = 1 for share");
  }
  const lsn locked = judged.mark();
  for (auto& session : sessions) session->execute("commit");
  const lsn after = judged.mark();
  judged.ingest();

  EXPECT_EQ(judged.count(before, locked, {"rmgr: MultiXact", "ZERO_MEM_PAGE 1"}), 1u);
  std::vector<judged_record> crossing;
  for (const judged_record& record :
       judged.find(before, locked, {"rmgr: MultiXact", "CREATE_ID", "offset "})) {
    const auto number = [&](const std::string& name) {
      return std::stoul(record.dumped.substr(record.dumped.find(name) + name.size()));
    };
    if (number(" offset ") < a_page && number(" offset ") + number(" nmembers ") > a_page)
      crossing.push_back(record);
  }
  ASSERT_EQ(crossing.size(), 1u);
  for (const lsn mark : {crossing[0].end, locked, after}) judged.expect_recovery_agrees(mark);
  // The lockers are known to be gone.
  const auto server = judged.start_at(locked);
  EXPECT_EQ(server->value("select count(*) from (select from t for update nowait) x"), "9");
}

TEST(prepared_transactions, alive_at_the_lsn_can_be_finished_there) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int, v text)",
              "insert into t select i, 'old' from generate_series(1000, 1300) i",
              "create table dropped as select 1 as id",
              "begin; insert into t values (2000, 'older'); prepare transaction 'older'"});
  judged.take_base();
  const lsn before = judged.mark();
  judged.run({"begin"});
  use_subtransactions(judged.server().session(), 90);
  judged.run({"update t set v = 'new' where id = 1005", "drop table dropped",
              "create table made as select 1 as id", "prepare transaction 'one'",
              "begin; delete from t where id = 1006; prepare transaction 'two'"});
  const lsn prepared = judged.mark();
  // Where a checkpoint comes in between, the state goes from the WAL to a file (twophase.c).
  judged.run({"checkpoint", "rollback prepared 'two'"});
  const lsn rolled_back = judged.mark();
  judged.run({"commit prepared 'one'", "commit prepared 'older'"});
  const lsn finished = judged.mark();
  judged.ingest();

  EXPECT_EQ(judged.count(before, prepared, {"rmgr: Transaction", "PREPARE"}), 2u);
  EXPECT_EQ(judged.count(prepared, rolled_back, {"ABORT_PREPARED"}), 1u);
  EXPECT_EQ(judged.count(rolled_back, finished, {"COMMIT_PREPARED"}), 2u);
  const auto alive = [&](lsn mark) {
    return judged.keys_at(mark, key::two_phase(0), key::two_phase(UINT32_MAX)).size();
  };
  EXPECT_EQ(alive(before), 1u);
  EXPECT_EQ(alive(prepared), 3u);
  EXPECT_EQ(alive(rolled_back), 2u);
  EXPECT_EQ(alive(finished), 0u);
  for (const lsn mark : {prepared, rolled_back, finished}) judged.expect_recovery_agrees(mark);

  const auto server = judged.start_at(prepared);
  EXPECT_EQ(server->value("select string_agg(gid, ' ' order by gid) from pg_prepared_xacts"),
            "older one two");
  EXPECT_EQ(server->value("select count(*) from t"), "301");
  EXPECT_THROW(server->execute("set lock_timeout = 1; select from t where id = 1006 for update"),
               std::runtime_error);
  EXPECT_EQ(server->value("select to_regclass('made') is null"), "t");
  for (const char* statement :
       {"commit prepared 'one'", "commit prepared 'two'", "rollback prepared 'older'"})
    server->execute(statement);
  EXPECT_EQ(server->value("select count(*) from t"), "360");
  EXPECT_EQ(server->value("select count(*) from t where v = 'new'"), "1");
  EXPECT_EQ(server->value("select to_regclass('dropped') is null"), "t");
  EXPECT_EQ(server->value("select count(*) from made"), "1");
}

}  // namespace
}  // namespace zenith
