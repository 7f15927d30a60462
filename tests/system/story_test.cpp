// The main job: servers on branches of one history, isolated, from any moment, in any mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "storage/base/lsn.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

class story : public ::testing::Test {
 protected:
  story() { repository.init_and_start(); }

  std::string value(const std::string& server, const std::string& sql) {
    return sql_session(repository.conninfo(server)).value(sql);
  }
  void execute(const std::string& server, const std::string& sql) {
    sql_session(repository.conninfo(server)).execute(sql);
  }
  std::string now_in(const std::string& server) {
    return value(server,
                 "select to_char(clock_timestamp() at time zone 'utc', "
                 "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  }
  nlohmann::json listed(const std::string& server) {
    for (const auto& one : repository.run_ok({"pg", "list"}))
      if (one["name"] == server) return one;
    return {};
  }

  zenith_repository repository;
};

TEST_F(story, a_branch_has_its_parent_s_data_and_each_side_its_own_writes) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "create table t as select generate_series(1, 1000) as a");
  const auto made = repository.run_ok({"branch", "dev"});
  EXPECT_EQ(made["parent"], "main");
  repository.run_ok({"pg", "create", "dev", "--start"});
  EXPECT_EQ(value("dev", "select count(*) from t"), "1000");
  execute("dev", "delete from t where a <= 100");
  execute("main", "insert into t select generate_series(1001, 1010)");
  EXPECT_EQ(value("dev", "select count(*) from t"), "900");
  EXPECT_EQ(value("main", "select count(*) from t"), "1010");
  // The parent's history at the branch point is intact.
  const std::string point = "main@" + made["start_lsn"].get<std::string>();
  repository.run_ok({"pg", "create", "then", point, "--read-only", "--start"});
  EXPECT_EQ(value("then", "select count(*) from t"), "1000");
  EXPECT_THROW(execute("then", "delete from t"), std::runtime_error);
  // A branch of the branch, and both clusters whole.
  repository.run_ok({"branch", "deep/er", "dev"});
  repository.run_ok({"pg", "create", "deeper", "deep/er", "--start"});
  EXPECT_EQ(value("deeper", "select count(*) from t"), "900");
  for (const char* server : {"main", "dev", "deeper"})
    run_ok({pg_program("pg_amcheck"), "--all", "--heapallindexed", "--install-missing", "-h",
            value(server, "show unix_socket_directories"), "-p", value(server, "show port"), "-U",
            "postgres"});
}

TEST_F(story, a_moment_before_a_mistake_is_a_branch_away) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "create table t as select generate_series(1, 10) as a");
  const std::string before = now_in("main");
  execute("main", "delete from t");
  repository.run_ok({"tag", "deleted"});
  repository.run_ok({"branch", "rescue", "main@" + before});
  repository.run_ok({"pg", "create", "rescue", "--start"});
  EXPECT_EQ(value("rescue", "select count(*) from t"), "10");
  execute("main", "insert into t values (7)");
  repository.run_ok({"branch", "after", "deleted"});
  repository.run_ok({"pg", "create", "after", "--start"});
  EXPECT_EQ(value("after", "select count(*) from t"), "0");
}

TEST_F(story, prepared_transactions_sequences_and_unlogged_tables_go_along) {
  repository.run_ok({"pg", "create", "main"});
  std::ofstream(repository.zenith_directory() / "computes/main/pgdata/postgresql.conf",
                std::ios::app)
      << "max_prepared_transactions = 5\n";
  repository.run_ok({"pg", "start", "main"});
  execute("main", "create table t(a int); create unlogged table u(a int); create sequence s");
  execute("main", "insert into u values (1)");
  EXPECT_EQ(value("main", "select max(nextval('s')) from generate_series(1, 40)"), "40");
  execute("main", "begin; insert into t values (1); prepare transaction 'p'");
  repository.run_ok({"branch", "dev"});
  repository.run_ok({"pg", "create", "dev", "--start"});
  EXPECT_EQ(value("dev", "select gid from pg_prepared_xacts"), "p");
  execute("dev", "commit prepared 'p'");
  EXPECT_EQ(value("dev", "select count(*) from t"), "1");
  EXPECT_EQ(value("dev", "select count(*) from u"), "0");
  execute("dev", "insert into u values (2)");
  EXPECT_GT(std::stoi(value("dev", "select nextval('s')")), 40);
  execute("main", "rollback prepared 'p'");
  EXPECT_EQ(value("main", "select count(*) from t"), "0");
}

TEST_F(story, tablespaces_are_never_shared_by_two_servers) {
  repository.run_ok({"pg", "create", "main", "--start"});
  const fs::path place = repository.scratch() / "place";
  fs::create_directory(place);
  give_to_database_user(place);
  execute("main", "create tablespace ts location '" + place.string() + "'");
  execute("main", "create table t tablespace ts as select generate_series(1, 100) as a");
  repository.run_ok({"branch", "dev"});
  repository.run_ok({"pg", "create", "dev", "--start"});
  execute("dev", "update t set a = a + 1");
  EXPECT_EQ(value("dev", "select sum(a) from t"), "5150");
  EXPECT_EQ(value("main", "select sum(a) from t"), "5050");
  const std::string location = value("dev",
                                     "select pg_tablespace_location(oid) from "
                                     "pg_tablespace where spcname = 'ts'");
  EXPECT_TRUE(location.starts_with(repository.zenith_directory().string())) << location;
}

TEST_F(story, settings_of_the_user_survive_restarts_and_go_to_branches) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "alter system set work_mem = '7MB'");
  repository.run_ok({"pg", "stop", "main"});
  std::ofstream(repository.zenith_directory() / "computes/main/pgdata/postgresql.conf",
                std::ios::app)
      << "maintenance_work_mem = 33MB\nport = 1\n";
  repository.run_ok({"pg", "start", "main"});
  EXPECT_EQ(value("main", "show work_mem"), "7MB");
  EXPECT_EQ(value("main", "show maintenance_work_mem"), "33MB");
  repository.run_ok({"branch", "dev"});
  repository.run_ok({"pg", "create", "dev", "--start"});
  EXPECT_EQ(value("dev", "show work_mem"), "7MB");
  EXPECT_EQ(value("dev", "show maintenance_work_mem"), "33MB");
}

TEST_F(story, a_new_server_on_the_same_branch_goes_on_after_a_clean_stop_and_after_a_loss) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "create table t as select generate_series(1, 10) as a");
  repository.run_ok({"pg", "stop", "main"});
  repository.run_ok({"pg", "destroy", "main"});
  repository.run_ok({"pg", "create", "again", "main", "--start"});
  EXPECT_EQ(value("again", "select count(*) from t"), "10");
  EXPECT_EQ(value("again", "select timeline_id from pg_control_checkpoint()"), "1");
  execute("again", "insert into t values (11)");
  repository.run_ok({"lsn", "main"});
  repository.run_ok({"pg", "destroy", "again", "--force"});
  repository.run_ok({"pg", "create", "third", "main", "--start"});
  EXPECT_EQ(value("third", "select count(*) from t"), "11");
  EXPECT_EQ(value("third", "select timeline_id from pg_control_checkpoint()"), "2");
  execute("third", "insert into t values (12)");
  repository.run_ok({"branch", "dev"});
  repository.run_ok({"pg", "create", "dev", "--start"});
  EXPECT_EQ(value("dev", "select count(*) from t"), "12");
  EXPECT_EQ(value("dev", "select timeline_id from pg_control_checkpoint()"), "3");
}

TEST_F(story, an_export_is_plain_postgresql) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "create table t as select generate_series(1, 10) as a");
  const fs::path target = repository.scratch() / "plain";
  const auto exported = repository.run_ok({"export", "main", target.string()});
  EXPECT_GT(exported["bytes"].get<int64_t>(), 1'000'000);
  execute("main", "delete from t");
  std::ifstream in(target / "postgresql.conf");
  for (std::string line; std::getline(in, line);)
    EXPECT_EQ(line.find("zenith"), std::string::npos) << line;
  EXPECT_FALSE(fs::exists(target / "zenith.conf"));
  postgres_server server(repository.scratch(), target);
  server.start();
  EXPECT_EQ(server.value("select count(*) from t"), "10");
  server.execute("insert into t values (11)");
  server.kill();
  server.start();
  EXPECT_EQ(server.value("select count(*) from t"), "11");
}

TEST_F(story, the_wal_of_a_branch_is_one_chain_that_pg_waldump_reads_across_the_seam) {
  repository.run_ok({"pg", "create", "main", "--start"});
  execute("main", "create table t as select generate_series(1, 1000) as a");
  const auto made = repository.run_ok({"branch", "dev"});
  repository.run_ok({"pg", "create", "dev", "--start"});
  execute("dev", "insert into t select generate_series(1, 1000)");
  repository.run_ok({"pg", "stop", "dev"});
  const fs::path wal =
      repository.zenith_directory() / "timelines" / made["timeline"].get<std::string>() / "wal";
  const fs::path first = *fs::directory_iterator(wal);
  EXPECT_TRUE(first.filename().string().starts_with("00000002")) << first;
  const std::string text = run({pg_program("pg_waldump"), first.string()}).output;
  // The parent's records, the child's checkpoint at the branch point, the child's records.
  const lsn start = *parse_lsn(made["start_lsn"].get<std::string>());
  char seam[64];
  std::snprintf(seam, sizeof seam, "lsn: %X/%08X, prev ",
                static_cast<unsigned>(start.value() >> 32), static_cast<unsigned>(start.value()));
  const size_t at = text.find(seam);
  ASSERT_NE(at, std::string::npos) << "no record at " << seam;
  EXPECT_NE(text.substr(at, text.find('\n', at) - at).find("CHECKPOINT_SHUTDOWN"),
            std::string::npos);
  EXPECT_GT(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'), 1000);
  EXPECT_GT(std::count(text.begin() + static_cast<long>(at), text.end(), '\n'), 1000);
}

TEST_F(story, a_synchronous_commit_returns_once_the_node_has_it) {
  repository.run_ok({"pg", "create", "main", "--sync", "--start"});
  ASSERT_TRUE(wait_until(
      [&] { return value("main", "select sync_state from pg_stat_replication") == "sync"; }));
  sql_session session(repository.conninfo("main"));
  session.execute("create table t(a int)");
  for (int i = 0; i < 20; ++i) {
    session.execute("begin; insert into t values (1)");
    const std::string inserted = session.value("select pg_current_wal_insert_lsn()");
    session.execute("commit");
    // The commit's own record ends after that.
    EXPECT_EQ(session.value("select flush_lsn > '" + inserted + "' from pg_stat_replication"), "t");
  }
}

}  // namespace
}  // namespace zenith::testing
