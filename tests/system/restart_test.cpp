// Nodes and servers that stop, die and come back, in every order: nothing acknowledged is lost.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

class restarts : public ::testing::Test {
 protected:
  restarts() {
    repository.init_and_start();
    repository.run_ok({"pg", "create", "main", "--start"});
    main = repository.conninfo("main");
    execute("create table t(a int)");
  }

  static void write_signal(const std::filesystem::path& pgdata) {
    std::ofstream(pgdata / "standby.signal");
    give_to_database_user(pgdata / "standby.signal");
  }
  std::string value(const std::string& sql) { return sql_session(main).value(sql); }
  void execute(const std::string& sql) { sql_session(main).execute(sql); }
  // What a branch of now holds: the node's own truth.
  std::string rows_in_new_branch(const std::string& name) {
    repository.run_ok({"branch", name});
    repository.run_ok({"pg", "create", name, "--start"});
    return sql_session(repository.conninfo(name)).value("select count(*) from t");
  }

  zenith_repository repository;
  std::string main;  // how to reach that server, with no node to ask
};

TEST_F(restarts, a_node_that_stops_takes_its_servers_along_and_brings_all_back) {
  execute("insert into t values (1)");
  repository.run_ok({"stop"});
  EXPECT_EQ(repository.server_process("main"), 0);
  EXPECT_EQ(repository.node_process(), 0);
  repository.run_ok({"start"});
  EXPECT_EQ(rows_in_new_branch("stopped"), "1");
  repository.run_ok({"pg", "start", "main"});
  execute("insert into t values (2)");
  EXPECT_EQ(rows_in_new_branch("again"), "2");
}

TEST_F(restarts, a_server_stopped_and_started_under_the_node_goes_on) {
  for (const bool immediate : {false, true, false}) {
    execute("insert into t values (1)");
    repository.run_ok(immediate ? std::vector<std::string>{"pg", "stop", "main", "--immediate"}
                                : std::vector<std::string>{"pg", "stop", "main"});
    repository.run_ok({"pg", "start", "main"});
  }
  EXPECT_EQ(rows_in_new_branch("after"), "3");
}

TEST_F(restarts, a_server_that_was_killed_is_noticed_and_started_again) {
  execute("insert into t values (1)");
  ASSERT_EQ(kill(repository.server_process("main"), SIGKILL), 0);
  ASSERT_TRUE(wait_until([&] {
    for (const auto& one : repository.run_ok({"pg", "list"}))
      if (one["name"] == "main") return one["state"] == "failed";
    return false;
  }));
  ASSERT_TRUE(wait_until([&] { return repository.run({"pg", "start", "main"}).exit_code == 0; }));
  EXPECT_EQ(value("select count(*) from t"), "1");
  EXPECT_EQ(rows_in_new_branch("after"), "1");
}

TEST_F(restarts, a_node_that_was_killed_adopts_the_servers_that_still_run) {
  execute("insert into t values (1)");
  const pid_t server = repository.server_process("main");
  repository.kill_node();
  execute("insert into t values (2)");
  repository.run_ok({"start"});
  EXPECT_EQ(repository.server_process("main"), server);
  EXPECT_EQ(rows_in_new_branch("after"), "2");
}

TEST_F(restarts, a_server_that_ended_while_no_node_ran_is_drained_by_the_next_start) {
  repository.kill_node();
  execute("insert into t select generate_series(1, 500)");
  const pid_t server = repository.server_process("main");
  ASSERT_EQ(kill(server, SIGINT), 0);
  ASSERT_TRUE(wait_until([&] { return repository.server_process("main") == 0; }));
  repository.run_ok({"start"});
  repository.run_ok({"pg", "stop", "main"});
  EXPECT_EQ(rows_in_new_branch("after"), "500");
}

TEST_F(restarts, nothing_that_was_acknowledged_is_missing_after_the_node_was_killed_under_writes) {
  repository.run_ok({"branch", "safe"});
  repository.run_ok({"pg", "create", "safe", "--sync", "--start"});
  const std::string conninfo = repository.conninfo("safe");
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> acknowledged{0};
    std::atomic<bool> stop{false};
    const std::string number = std::to_string(round);
    sql_session(conninfo).execute("create table w" + number + "(a int)");
    std::thread writer([&] {
      try {
        sql_session session(conninfo);
        while (!stop) {
          session.execute("insert into w" + number + " values (1)");
          ++acknowledged;
        }
      } catch (const std::exception&) {
        // The server was killed with a commit under way: it was not acknowledged.
      }
    });
    ASSERT_TRUE(wait_until([&] { return acknowledged > 100; }));
    repository.kill_node();
    // The writer waits in a commit now; its server dies too, and with it all that it had.
    const pid_t server = repository.server_process("safe");
    ASSERT_EQ(kill(server, SIGKILL), 0);
    stop = true;
    writer.join();
    ASSERT_TRUE(wait_until([&] { return repository.server_process("safe") == 0; }));
    repository.run_ok({"start"});
    repository.run_ok({"pg", "destroy", "safe", "--force"});
    repository.run_ok({"pg", "create", "safe", "--sync", "--start"});
    ASSERT_EQ(repository.conninfo("safe"), conninfo);
    const int kept = std::stoi(sql_session(conninfo).value("select count(*) from w" + number));
    EXPECT_GE(kept, acknowledged.load());
    EXPECT_LE(kept, acknowledged.load() + 1);
  }
}

TEST_F(restarts, a_server_that_its_owner_promoted_is_followed_on_its_new_pg_timeline) {
  execute("insert into t values (1)");
  repository.run_ok({"pg", "stop", "main"});
  const auto pgdata = repository.zenith_directory() / "computes" / "main" / "pgdata";
  write_signal(pgdata);
  repository.run_ok({"pg", "start", "main"});
  EXPECT_EQ(value("select pg_is_in_recovery()"), "t");
  EXPECT_EQ(value("select pg_promote()"), "t");
  execute("insert into t values (2)");
  EXPECT_EQ(value("select left(pg_walfile_name(pg_current_wal_lsn()), 8)"), "00000002");
  EXPECT_EQ(rows_in_new_branch("after"), "2");
  // It is what the timeline is from there on.
  repository.run_ok({"stop"});
  repository.run_ok({"start"});
  repository.run_ok({"pg", "start", "main"});
  execute("insert into t values (3)");
  EXPECT_EQ(rows_in_new_branch("later"), "3");
}

TEST_F(restarts, a_promoted_server_that_lacks_wal_is_refused_with_both_lsns) {
  execute("insert into t values (1)");
  repository.run_ok({"pg", "stop", "main"});
  const auto pgdata = repository.zenith_directory() / "computes" / "main" / "pgdata";
  const auto copy = repository.scratch() / "copy";
  run_ok({"cp", "-a", pgdata.string(), copy.string()});
  repository.run_ok({"pg", "start", "main"});
  execute("insert into t values (2)");
  repository.run_ok({"pg", "stop", "main"});
  std::filesystem::remove_all(pgdata);
  run_ok({"cp", "-a", copy.string(), pgdata.string()});
  write_signal(pgdata);
  const auto behind = repository.run({"pg", "start", "main"});
  EXPECT_EQ(behind.exit_code, 1);
  EXPECT_NE(behind.errors.find("the server lost what it had confirmed"), std::string::npos)
      << behind.errors;
  EXPECT_EQ(value("select pg_promote()"), "t");
  std::string problem;
  EXPECT_TRUE(wait_until([&] {
    problem = repository.run_ok({"status"})["timelines"][0]["problem"];
    return problem.find("left pg_timeline 1 at 0/") != std::string::npos &&
           problem.find("holds WAL of pg_timeline 1 up to 0/") != std::string::npos;
  })) << problem;
}

TEST_F(restarts, a_server_of_another_cluster_is_refused_with_both_system_identifiers) {
  repository.run_ok({"pg", "stop", "main"});
  const auto pgdata = repository.zenith_directory() / "computes" / "main" / "pgdata";
  std::filesystem::remove_all(pgdata);
  run_ok(
      {pg_program("initdb"), "-D", pgdata.string(), "-U", "postgres", "--auth=trust", "--no-sync"});
  const auto started = repository.run({"pg", "start", "main"});
  EXPECT_EQ(started.exit_code, 1);
  EXPECT_NE(started.errors.find("system identifier is "), std::string::npos) << started.errors;
  EXPECT_NE(started.errors.find("it is another cluster"), std::string::npos) << started.errors;
}

}  // namespace
}  // namespace zenith::testing
