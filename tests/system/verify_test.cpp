// A real recovery of a base backup with the WAL cut at an LSN judges everything that a node holds
// as of that LSN, after pgbench.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/support/recovered_cluster.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t segment_size_bytes = 16 * 1024 * 1024;

long setting(const char* name, long by_default) {
  const char* text = std::getenv(name);
  return text == nullptr ? by_default : std::strtol(text, nullptr, 10);
}

void run_pgbench(const std::string& conninfo, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{pg_program("pgbench")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(conninfo);
  run_ok(command);
}

std::vector<std::vector<std::string>> sums_of(sql_session& session) {
  return session.rows(
      "select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from "
      "pgbench_tellers), (select sum(bbalance) from pgbench_branches), (select sum(delta) from "
      "pgbench_history), (select count(*) from pgbench_history)");
}

class verified : public ::testing::Test {
 protected:
  void start(const std::string& scale) {
    repository.init_and_start({"--data-checksums"});
    repository.run_ok({"pg", "create", "main", "--start"});
    run_pgbench(main(), {"-i", "-q", "-s", scale});
    base = repository.scratch() / "base";
    take_base_backup(main(), base);
  }

  std::string main() const { return repository.conninfo("main"); }
  // The end of the record at or after a position.
  lsn point_at(lsn position) const { return repository.lsn_of("main@" + to_string(position)); }

  fs::path recover(lsn at) {
    const fs::path into = repository.scratch() / ("recovered" + std::to_string(++recovered));
    recover_to(repository.scratch(), base, repository.wal_directory("main"), pg_timeline{1},
               segment_size_bytes, at, into);
    return into;
  }

  zenith_repository repository;
  fs::path base;
  int recovered = 0;
};

TEST_F(verified, finds_no_mismatch_against_a_real_recovery_at_random_lsns) {
  start(std::to_string(setting("ZENITH_TEST_PGBENCH_SCALE", 10)));
  const lsn from = point_at(*parse_lsn(sql_session(main()).value("select pg_current_wal_lsn()")));
  run_pgbench(main(),
              {"-n", "-c", "4", "-T", std::to_string(setting("ZENITH_TEST_PGBENCH_SECONDS", 20))});
  sql_session(main()).execute("vacuum pgbench_tellers");
  const lsn until = repository.lsn_of("main");
  const auto seed = static_cast<uint32_t>(setting("ZENITH_TEST_SEED", 1));
  std::cout << "seed " << seed << ", WAL from " << to_string(from) << " to " << to_string(until)
            << "\n";
  std::mt19937_64 random{seed};
  const long rounds = setting("ZENITH_TEST_ROUNDS", 10);
  for (long round = 0; round < rounds; ++round) {
    const lsn at = round == 0 ? until : point_at(from + random() % (until - from));
    const fs::path directory = recover(at);
    const auto verified = repository.run({"verify", "main@" + to_string(at), directory.string()});
    EXPECT_EQ(verified.exit_code, 0) << to_string(at) << verified.output << verified.errors;
    EXPECT_EQ(verified.json["mismatches"].size(), 0u);
    EXPECT_EQ(verified.json["ok"], true);
    EXPECT_GT(verified.json["pages"].get<int>(), 2000);
    fs::remove_all(directory);
  }
}

TEST(verified_server, may_have_the_map_bits_that_create_database_did_not_log) {
  zenith_repository repository;
  repository.init_and_start();
  repository.run_ok({"pg", "create", "main", "--start"});
  const std::string main = repository.conninfo("main");
  sql_session(main).execute("create database copied strategy wal_log");
  {
    sql_session copied(main + "&dbname=copied");
    // Sets bits beside those that came with the copy, of pages that this has changed.
    copied.execute("create table t as select generate_series(1, 1000) as id");
    copied.execute("vacuum");
  }
  // Its files are copied, maps with some of their bits logged and some not.
  sql_session(main).execute("create database again template copied strategy file_copy");
  repository.run_ok({"pg", "stop", "main"});
  const auto data = repository.zenith_directory() / "computes" / "main" / "pgdata";
  const auto verified = repository.run({"verify", "main", data.string()});
  EXPECT_EQ(verified.exit_code, 0) << verified.output << verified.errors;
}

TEST_F(verified, sees_a_single_flipped_byte_of_a_table) {
  start("1");
  run_pgbench(main(), {"-n", "-c", "2", "-t", "50"});
  const std::string file =
      sql_session(main()).value("select pg_relation_filepath('pgbench_accounts')");
  const lsn at = repository.lsn_of("main");
  const fs::path directory = recover(at);
  {
    std::FILE* table = std::fopen((directory / file).c_str(), "r+b");
    ASSERT_NE(table, nullptr);
    std::fseek(table, 3 * 8192 + 8000, SEEK_SET);
    const int byte = std::fgetc(table);
    std::fseek(table, 3 * 8192 + 8000, SEEK_SET);
    std::fputc(byte ^ 1, table);
    std::fclose(table);
  }
  const auto verified = repository.run({"verify", "main@" + to_string(at), directory.string()});
  EXPECT_EQ(verified.exit_code, 1);
  ASSERT_EQ(verified.json["mismatches"].size(), 1u) << verified.output;
  EXPECT_EQ(verified.json["mismatches"][0]["file"], file);
  EXPECT_EQ(verified.json["mismatches"][0]["block"], 3);
  EXPECT_EQ(verified.json["mismatches"][0]["offset"], 8000);
}

TEST_F(verified, branches_made_under_load_have_the_sums_that_recovery_finds_at_their_lsn) {
  start("2");
  const auto log = repository.scratch() / "pgbench.log";
  const pid_t load =
      testing::start({pg_program("pgbench"), "-n", "-c", "4", "-t", "3000", main()}, log);
  sql_session parent(main());
  std::vector<lsn> points;
  for (int i = 0; i < 5; ++i) {
    // The moments differ by how much was committed, not by a clock.
    const int wanted = 50 + 400 * i;
    ASSERT_TRUE(wait_until(
        [&] { return std::stoi(parent.value("select count(*) from pgbench_history")) >= wanted; }));
    const std::string name = "b" + std::to_string(i);
    const int before = std::stoi(parent.value("select count(*) from pgbench_history"));
    const auto made = repository.run_ok({"branch", name});
    const int after = std::stoi(parent.value("select count(*) from pgbench_history"));
    points.push_back(*parse_lsn(made["start_lsn"].get<std::string>()));
    repository.run_ok({"pg", "create", name, "--start"});
    sql_session branch(repository.conninfo(name));
    const auto sums = sums_of(branch)[0];
    EXPECT_GE(std::stoi(sums[4]), before) << "a commit that had returned is missing";
    EXPECT_LE(std::stoi(sums[4]), after);
    EXPECT_EQ(sums[0], sums[3]);
    EXPECT_EQ(sums[1], sums[3]);
    EXPECT_EQ(sums[2], sums[3]);
  }
  EXPECT_EQ(wait_for_exit(load), 0);
  for (size_t i = 0; i < points.size(); ++i) {
    const fs::path directory = recover(points[i]);
    postgres_server judge(repository.scratch(), directory);
    judge.start();
    sql_session branch(repository.conninfo("b" + std::to_string(i)));
    EXPECT_EQ(sums_of(branch), sums_of(judge.session())) << to_string(points[i]);
    judge.stop();
    fs::remove_all(directory);
  }
}

}  // namespace
}  // namespace zenith::testing
