// PostgreSQL judges, at LSNs all over a hard workload, what a node holds and what it gives: a real
// recovery compared with all that is stored, and a server that was started there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <optional>

#include "tests/support/hard_workload.hpp"
#include "tests/support/recovered_cluster.hpp"
#include "tests/support/repository_host.hpp"
#include "tests/support/server_judge.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/wal_points.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

struct configuration {
  const char* name;
  std::vector<std::string> init;
  std::vector<const char*> settings;
  uint32_t segment_size_mb = 16;
};

std::ostream& operator<<(std::ostream& out, const configuration& one) { return out << one.name; }

// What the workload needs, and what makes a round cheap.
constexpr const char* common_settings[] = {"max_prepared_transactions = 30",
                                           "track_commit_timestamp = on",
                                           "allow_in_place_tablespaces = on",
                                           "wal_level = 'logical'",
                                           "autovacuum = off",
                                           "lock_timeout = '30s'",
                                           "fsync = off",
                                           "shared_buffers = '32MB'",
                                           "max_wal_size = '4GB'"};

// The branch and server of the round in hand.
constexpr const char* judged = "judged";

class stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// The first lines in which two texts differ.
std::string difference_of(const std::string& ours, const std::string& theirs) {
  const temporary_directory directory;
  std::ofstream(directory / "ours") << ours;
  std::ofstream(directory / "theirs") << theirs;
  return run({"diff", "-U8", (directory / "ours").string(), (directory / "theirs").string()})
      .output.substr(0, 4000);
}

class judges : public ::testing::TestWithParam<configuration> {
 protected:
  void run_workload();
  void judge_all(size_t count);

 private:
  void configure();
  void judge(const wal_point& point);
  fs::path recover(lsn at);
  void judge_recovery(lsn at, const fs::path& recovered);
  void judge_server(const fs::path& recovered);
  void judge_work();
  void clean_up();
  // Judge 2: exit code 0 of `zenith verify`.
  void expect_equal(const std::string& point, const fs::path& directory);
  void lap(const char* of) { laps += fmt::format(", {} {:.1f} s", of, watch.lap()); }

  uint32_t segment_size_bytes() const { return GetParam().segment_size_mb * 1024 * 1024; }

  zenith_repository repository;
  fs::path base;
  lsn start;  // from here on the base backup can be recovered
  std::mt19937_64 random{test_seed()};
  uint64_t pages = 0;
  std::string laps;  // of the round in hand
  stopwatch watch;
};

void judges::configure() {
  std::vector<std::string> init = GetParam().init;
  init.push_back("--wal-segsize=" + std::to_string(GetParam().segment_size_mb));
  repository.init_and_start(init);
  repository.run_ok({"pg", "create", "main", "--start"});
  {
    sql_session session(repository.conninfo("main"));
    for (const char* setting : common_settings)
      session.execute(std::string("alter system set ") + setting);
    for (const char* setting : GetParam().settings)
      session.execute(std::string("alter system set ") + setting);
  }
  repository.run_ok({"pg", "stop", "main"});
  repository.run_ok({"pg", "start", "main"});
}

// The base backup is taken before anything has happened, so that all that a recovery makes comes
// from WAL: a server's own files hold more, such as the visibility maps that CREATE DATABASE logs
// without their bits, and sequences' values.
void judges::run_workload() {
  stopwatch clock;
  configure();
  base = repository.scratch() / "base";
  take_base_backup(repository.conninfo("main"), base);
  start = *parse_lsn(
      sql_session(repository.conninfo("main")).value("select pg_current_wal_flush_lsn()"));
  start = repository.lsn_of("main@" + to_string(start));
  repository_host host(repository, "main");
  run_hard_workload(host, {.seed = test_seed()});
  std::cout << fmt::format("{}: workload {:.0f} s\n", GetParam().name, clock.lap());
}

fs::path judges::recover(lsn at) {
  const fs::path into = repository.scratch() / "recovered";
  recover_to(repository.scratch(), base, repository.wal_directory("main"), pg_timeline{1},
             segment_size_bytes(), at, into);
  return into;
}

void judges::expect_equal(const std::string& point, const fs::path& directory) {
  const auto verified = repository.run({"verify", point, directory.string()});
  EXPECT_EQ(verified.exit_code, 0) << point << verified.output << verified.errors;
  EXPECT_TRUE(verified.json.value("mismatches", nlohmann::json{0}).empty());
  const uint64_t compared = verified.json.value("pages", uint64_t{0});
  EXPECT_GT(compared, 2000u);
  pages += compared;
}

void judges::judge(const wal_point& point) {
  const fs::path recovered = recover(point.at);
  lap("recovery");
  expect_equal("main@" + to_string(point.at), recovered);
  lap("verify");
  repository.run_ok({"branch", judged, "main@" + to_string(point.at)});
  repository.run_ok({"pg", "create", judged, "--start"});
  lap("new server");
  judge_server(recovered);
  judge_work();
}

void judges::clean_up() {
  repository.run({"pg", "destroy", judged, "--force"});
  repository.run({"branch", "--delete", judged});
  fs::remove_all(repository.scratch() / "recovered");
}

void judges::judge_server(const fs::path& recovered) {
  postgres_server theirs(repository.scratch(), recovered);
  theirs.start();
  const repository_host ours(repository, judged);
  const connector our_databases = [&](const std::string& database) {
    return ours.conninfo(database);
  };
  const connector their_databases = [&](const std::string& database) {
    return theirs.conninfo(database);
  };
  EXPECT_EQ(end_what_is_under_way(our_databases), end_what_is_under_way(their_databases));
  const std::string our_dump = dump_of(our_databases);
  const std::string their_dump = dump_of(their_databases);
  EXPECT_NE(our_dump.find("database cluster dump complete"), std::string::npos);
  if (our_dump != their_dump) ADD_FAILURE() << difference_of(our_dump, their_dump);
  theirs.stop(stop_mode::immediate);
  lap("dumps");
  EXPECT_EQ(complaints_of(our_databases), "");
  lap("amcheck");
}

// The server goes on working, and the node goes on following it.
void judges::judge_work() {
  repository_host host(repository, judged);
  const connector databases = [&](const std::string& database) { return host.conninfo(database); };
  work_on(databases);
  const std::string before = contents_of(databases);
  lap("work");
  repository.run_ok({"pg", "stop", judged});
  expect_equal(judged, repository.zenith_directory() / "computes" / judged / "pgdata");
  repository.run_ok({"pg", "start", judged});
  EXPECT_EQ(contents_of(databases), before);
  sql_session(databases("postgres")).execute("commit prepared 'work'");
  lap("restart");
}

void judges::judge_all(size_t count) {
  const wal_points points = choose_wal_points(repository.wal_directory("main"),
                                              segment_size_bytes(), start, count, random);
  std::cout << fmt::format("seed {}, WAL from {} to {}: {} records of {} types\n", test_seed(),
                           to_string(start), to_string(points.end), points.records,
                           points.record_types);
  stopwatch all;
  for (const wal_point& point : points.chosen) {
    SCOPED_TRACE(fmt::format("at {} after {}", to_string(point.at), point.after));
    stopwatch round;
    laps.clear();
    watch.lap();
    try {
      judge(point);
    } catch (const std::exception& failure) {
      ADD_FAILURE() << failure.what();
    }
    clean_up();
    lap("removal");
    std::cout << fmt::format("at {} after {}: {:.1f} s{}\n", to_string(point.at), point.after,
                             round.lap(), laps)
              << std::flush;
  }
  std::cout << fmt::format("{}: {} rounds, {} pages compared, {:.0f} s\n", GetParam().name, count,
                           pages, all.lap());
}

// As many of the long level's rounds as CI has time for, over few clusters that have all of it.
class judges_of_combinations : public judges {};
// Each by itself, at 30 random LSNs and at the end.
class judges_of_each : public judges {};

TEST_P(judges_of_combinations, find_nothing_at_random_lsns_of_a_hard_workload) {
  run_workload();
  judge_all(3);
}

TEST_P(judges_of_each, find_nothing_at_random_lsns_of_a_hard_workload) {
  if (!full_test_level()) GTEST_SKIP() << "takes minutes: only with ZENITH_TEST_LEVEL=full";
  run_workload();
  judge_all(static_cast<size_t>(test_setting("ZENITH_TEST_ROUNDS", 30)) + 1);
}

const configuration combinations[] = {
    {"stock", {}, {}},
    {"checksums_1mib_lz4", {"--data-checksums"}, {"wal_compression = 'lz4'"}, 1},
    {"hints_64mib_pglz", {}, {"wal_log_hints = on", "wal_compression = 'pglz'"}, 64},
    {"checksums_no_full_pages_zstd",
     {"--data-checksums"},
     {"full_page_writes = off", "wal_compression = 'zstd'"}},
};

const configuration each[] = {
    {"stock", {}, {}},
    {"checksums", {"--data-checksums"}, {}},
    {"hints", {}, {"wal_log_hints = on"}},
    {"1mib", {}, {}, 1},
    {"64mib", {}, {}, 64},
    {"no_full_pages", {}, {"full_page_writes = off"}},
    {"pglz", {}, {"wal_compression = 'pglz'"}},
    {"lz4", {}, {"wal_compression = 'lz4'"}},
    {"zstd", {}, {"wal_compression = 'zstd'"}},
};

std::string name_of(const ::testing::TestParamInfo<configuration>& one) { return one.param.name; }

INSTANTIATE_TEST_SUITE_P(hard, judges_of_combinations, ::testing::ValuesIn(combinations), name_of);
INSTANTIATE_TEST_SUITE_P(hard, judges_of_each, ::testing::ValuesIn(each), name_of);

}  // namespace
}  // namespace zenith::testing
