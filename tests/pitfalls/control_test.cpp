// pg_control of a server that starts at an LSN, field by field as pg_controldata prints it.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_server;
using testing::sql_session;

using fields = std::map<std::string, std::string>;

fields control_data(const std::filesystem::path& data) {
  testing::give_to_database_user(data);
  std::istringstream lines(
      testing::run_ok({testing::pg_program("pg_controldata"), "-D", data.string()}));
  fields found;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    const size_t text = line.find_first_not_of(' ', colon + 1);
    found[line.substr(0, colon)] = text == std::string::npos ? "" : line.substr(text);
  }
  EXPECT_GT(found.size(), 45u);
  return found;
}

void expect_same(const fields& ours, const fields& theirs, const std::set<std::string>& differ) {
  EXPECT_EQ(ours.size(), theirs.size());
  for (const auto& [name, value] : theirs)
    if (!differ.contains(name)) EXPECT_EQ(ours.at(name), value) << name;
}

// Moves every number and setting in it.
void move_fields(judged_server& judged) {
  for (const char* setting :
       {"max_connections = 41", "max_worker_processes = 11", "max_wal_senders = 7",
        "max_prepared_transactions = 9", "max_locks_per_transaction = 77", "wal_level = logical",
        "wal_log_hints = on", "track_commit_timestamp = on"})
    judged.run({"alter system set " + std::string(setting)});
  judged.server().stop();
  judged.server().start();
  // Object ids are logged 8192 ahead (varsup.c, VAR_OID_PREFETCH).
  judged.run({"create table t (id int primary key)", "insert into t select generate_series(1, 9)",
              "select lo_create(0) from generate_series(1, 8300)"});
  sql_session one{judged.server().conninfo()};
  sql_session two{judged.server().conninfo()};
  for (sql_session* session : {&one, &two}) {
    session->execute("begin");
    session->execute("select from t for key share");
  }
  one.execute("commit");
  two.execute("commit");
  judged.run({"update pg_database set datallowconn = true where not datallowconn"});
  testing::run_ok({testing::pg_program("vacuumdb"), "--all", "--freeze", "--quiet", "-h",
                   judged.server().socket_directory().string(), "-U", "postgres"});
}

TEST(pg_control_fields, are_those_of_a_server_recovered_at_the_lsn) {
  judged_server judged;
  judged.server().start();
  judged.take_base();
  move_fields(judged);
  judged.run({"checkpoint", "insert into t select generate_series(10, 20)",
              "select lo_create(0) from generate_series(1, 20)"});
  const lsn after_checkpoint = judged.mark();
  const std::string oldest_timestamp =
      judged.server().value("select oldest_commit_ts_xid from pg_control_checkpoint()");
  judged.run({"alter system set full_page_writes = off", "select pg_reload_conf()"});
  // The checkpointer reads its configuration in its own time, later than any session.
  const bool off = testing::wait_until([&] {
    judged.run({"checkpoint"});
    return judged.server().value("select full_page_writes from pg_control_checkpoint()") == "f";
  });
  judged.run({"insert into t values (30)"});
  const lsn without_page_writes = judged.mark();
  judged.ingest();

  ASSERT_TRUE(off);
  EXPECT_EQ(judged.count(judged.base(), after_checkpoint, {"PARAMETER_CHANGE"}), 1u);
  EXPECT_GE(judged.count(judged.base(), after_checkpoint, {"NEXTOID"}), 1u);
  EXPECT_GE(judged.count(after_checkpoint, without_page_writes, {"FPW_CHANGE"}), 1u);
  for (const lsn mark : {after_checkpoint, without_page_writes}) {
    SCOPED_TRACE(to_string(mark));
    const fields theirs = control_data(judged.recover(mark));
    const fields ours = control_data(judged.write_backup(mark));
    // The recovered server wrote two checkpoints of its own behind the LSN, on its pg_timeline;
    // ours starts from one that lies at it, on the next.
    expect_same(ours, theirs,
                {"pg_control last modified", "Latest checkpoint location",
                 "Latest checkpoint's REDO location", "Latest checkpoint's REDO WAL file",
                 "Latest checkpoint's TimeLineID", "Latest checkpoint's PrevTimeLineID",
                 "Time of latest checkpoint", "Latest checkpoint's full_page_writes",
                 "Latest checkpoint's oldestCommitTsXid"});
    // Recovery does not take the first from an online checkpoint, and is behind the source; the
    // second is the recovered server's own setting.
    EXPECT_EQ(ours.at("Latest checkpoint's oldestCommitTsXid"), oldest_timestamp);
    EXPECT_EQ(ours.at("Latest checkpoint's full_page_writes"),
              mark == after_checkpoint ? "on" : "off");
    EXPECT_EQ(ours.at("Latest checkpoint location"), to_string(judged.last_before(mark).end));
    EXPECT_EQ(ours.at("Latest checkpoint's REDO location"), ours.at("Latest checkpoint location"));
    EXPECT_EQ(ours.at("Latest checkpoint's TimeLineID"), "2");
    EXPECT_EQ(ours.at("Latest checkpoint's PrevTimeLineID"), "1");
    EXPECT_EQ(ours.at("max_connections setting"), "41");
    EXPECT_EQ(ours.at("wal_level setting"), "logical");
  }
}

TEST(pg_control_fields, are_all_those_of_the_source_where_it_stopped_cleanly) {
  judged_server judged;
  judged.server().start();
  judged.take_base();
  move_fields(judged);
  judged.server().stop();
  judged.ingest();

  const lsn end = judged.records().back().end;
  ASSERT_EQ(judged.find(judged.records().back().start, end, {"CHECKPOINT_SHUTDOWN"}).size(), 1u);
  const fields theirs = control_data(judged.server().data());
  const fields ours = control_data(judged.write_backup(end, backup::start_record::last_checkpoint));
  expect_same(ours, theirs, {"pg_control last modified"});
  EXPECT_NE(theirs.at("Latest checkpoint's NextMultiXactId"), "1");
  EXPECT_NE(theirs.at("Latest checkpoint's oldestXID"),
            control_data(judged.directory() / "base").at("Latest checkpoint's oldestXID"));
}

}  // namespace
}  // namespace zenith
