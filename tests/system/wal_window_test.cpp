// A node that keeps little WAL as it came: times, tags, branches and servers from before are the
// same without it.
#include <gtest/gtest.h>

#include <iostream>
#include <utility>

#include "storage/wal/removed_wal.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class short_wal : public ::testing::Test {
 protected:
  short_wal() {
    repository.init({{"open_layer_size", "1MB"},
                     {"open_layer_age", "1s"},
                     {"wal_keep_time", "0ms"},
                     {"wal_keep_size", "2MB"}},
                    {"--wal-segsize", "1", "--data-checksums"});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    pgbench("main", {"-i", "-q", "-s", "1"});
  }

  void pgbench(const std::string& server, const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{pg_program("pgbench")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.push_back(repository.conninfo(server));
    run_ok(command);
  }
  void work(const std::string& server) const { pgbench(server, {"-n", "-c", "2", "-t", "1000"}); }
  std::string value(const std::string& server, const std::string& query) const {
    return sql_session(repository.conninfo(server)).value(query);
  }
  std::string sums_of(const std::string& server) const {
    return value(server,
                 "select (select sum(abalance) from pgbench_accounts) || ' ' || (select sum(delta) "
                 "from pgbench_history) || ' ' || (select count(*) from pgbench_history)");
  }
  std::string time_of(const std::string& server) const {
    return value(server,
                 "select to_char(clock_timestamp() at time zone 'utc', "
                 "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  }
  lsn kept_from(const std::string& branch) const {
    return wal::read_removed(posix_file_system(), repository.wal_directory(branch)).value();
  }
  void expect_right(const std::string& server) const {
    repository.run_ok({"pg", "stop", server});
    const auto verified =
        repository.run({"verify", server,
                        (repository.zenith_directory() / "computes" / server / "pgdata").string()});
    EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.errors;
  }
  void expect_sound(const std::string& server) const {
    run_ok({pg_program("pg_amcheck"), "--all", "--heapallindexed", "--install-missing", "-h",
            value(server, "show unix_socket_directories"), "-p", value(server, "show port"), "-U",
            "postgres"});
  }

  zenith_repository repository;
};

TEST_F(short_wal, what_was_before_is_the_same_without_its_wal) {
  const std::string earlier = time_of("main");
  work("main");
  const json by_earlier = repository.run_ok({"lsn", "main@" + earlier});
  const std::string time = time_of("main");
  const std::string sums = sums_of("main");
  repository.run_ok({"tag", "then"});
  const json by_time = repository.run_ok({"lsn", "main@" + time});
  const lsn tagged = repository.lsn_of("then");
  // In the middle of what comes next.
  value("main", "select pg_logical_emit_message(false, 'x', repeat('y', 50000))");
  const std::string typed = to_string(tagged + 1000);
  while (repository.lsn_of("main") < tagged + (uint64_t{5} << 20)) work("main");
  ASSERT_TRUE(wait_until([&] { return kept_from("main") > tagged + 100'000; }))
      << to_string(kept_from("main")) << ", " << to_string(tagged) << "\n"
      << repository.run_ok({"gc", "--dry-run"}).dump() << "\n"
      << repository.node_log();
  // What is due is removed in the background: all of it before anything is compared.
  lsn removed = kept_from("main");
  ASSERT_TRUE(wait_until([&] {
    repository.run_ok({"compact", "main"});
    const lsn before = std::exchange(removed, kept_from("main"));
    return removed == before;
  })) << to_string(removed);

  const json would = repository.run_ok({"gc", "--dry-run"});
  EXPECT_EQ(kept_from("main"), removed);
  EXPECT_GT(would["kept_wal_bytes"].get<uint64_t>(), 0u);
  EXPECT_NE(would["kept"].dump().find("WAL"), std::string::npos) << would.dump();
  repository.run_ok({"gc"});

  // The same point, without the WAL that it lies in.
  EXPECT_EQ(repository.run_ok({"lsn", "main@" + time}), by_time);
  EXPECT_EQ(repository.lsn_of("then"), tagged);
  repository.run_ok({"branch", "child", "main@" + time});
  repository.run_ok({"branch", "from_tag", "then"});
  const json moved = repository.run_ok({"branch", "from_lsn", "main@" + typed});
  EXPECT_GE(*parse_lsn(moved["start_lsn"].get<std::string>()), *parse_lsn(typed));
  for (const std::string name : {"child", "from_tag", "from_lsn"}) {
    repository.run_ok({"pg", "create", name, "--start"});
    EXPECT_EQ(sums_of(name), sums) << name;
    expect_sound(name);
    work(name);
    expect_right(name);
  }
  repository.run_ok({"pg", "create", "reader", "main@" + time, "--read-only", "--start"});
  EXPECT_EQ(sums_of("reader"), sums);
  repository.run_ok({"export", "then", (repository.scratch() / "exported").string()});

  // Its parent's time through a child.
  EXPECT_EQ(repository.run_ok({"lsn", "main@" + earlier}), by_earlier);
  EXPECT_EQ(repository.run_ok({"lsn", "child@" + earlier})["lsn"], by_earlier["lsn"]);

  // After a restart as well; and the server on main goes on.
  expect_right("main");
  repository.run_ok({"stop"});
  const auto checked = repository.run({"check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  repository.run_ok({"start"});
  EXPECT_EQ(repository.run_ok({"lsn", "main@" + time}), by_time);
  repository.run_ok({"pg", "start", "main"});
  work("main");
  expect_right("main");
  repository.run_ok({"pg", "start", "child"});
  work("child");
  expect_right("child");
}

}  // namespace
}  // namespace zenith::testing
