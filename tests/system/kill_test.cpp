// Nodes that are killed at any moment, while layers are written, merged and removed and branches
// come and go: what was acknowledged is there, every page is right, nothing is damaged or left.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "tests/support/postgres_server.hpp"
#include "tests/support/steady_writers.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t writers = 3;

// Commands that are given one after the other until one fails, because the node was killed.
class steady_commands {
 public:
  explicit steady_commands(const zenith_repository& repository, int first)
      : repository_(repository), thread_([this, first] { give(first); }) {}
  ~steady_commands() { join(); }

  void join() {
    if (thread_.joinable()) thread_.join();
  }
  /// Branches whose creation was acknowledged and whose deletion was never asked for.
  const std::set<std::string>& made() const { return made_; }
  const std::set<std::string>& deleted() const { return deleted_; }
  int given() const { return given_; }

 private:
  bool is_done(const std::vector<std::string>& arguments) {
    const bool done = repository_.run(arguments).exit_code == 0;
    if (done) ++given_;
    return done;
  }
  void give(int first) {
    for (int i = 0;; ++i) {
      const std::string name = "b" + std::to_string(first) + "/" + std::to_string(i);
      if (!is_done({"branch", name})) return;
      made_.insert(name);
      if (!is_done({i % 2 == 0 ? "gc" : "branch"})) return;
      if (!is_done({"compact", "main"})) return;
      if (i % 3 == 2) continue;
      made_.erase(name);
      if (!is_done({"branch", "--delete", name, "--force"})) return;
      deleted_.insert(name);
    }
  }

  const zenith_repository& repository_;
  std::set<std::string> made_;
  std::set<std::string> deleted_;
  std::atomic<int> given_{0};
  std::thread thread_;
};

class killed_node : public ::testing::Test {
 protected:
  killed_node() {
    repository.init({{"memory_limit", "64MB"},
                     {"open_layer_size", "64kB"},
                     {"layer_file_size", "64kB"},
                     {"open_layer_age", "1s"},
                     {"level0_merge_at", "2"},
                     {"gc_interval", "1s"},
                     {"history_window", "0ms"},
                     {"history_size", "256kB"},
                     {"receiver_backoff_min", "5ms"},
                     {"receiver_backoff_max", "50ms"}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--sync", "--start"});
    main = repository.conninfo("main");
    make_tables_for_writers(main);
    begin_writing();
  }

  void begin_writing() { work.emplace(main, writers); }
  fs::path pgdata() const { return repository.zenith_directory() / "computes" / "main" / "pgdata"; }
  // What the node has confirmed to its server, which runs without it.
  lsn confirmed() const {
    return *parse_lsn(sql_session(main).value("select max(restart_lsn) from pg_replication_slots"));
  }
  // How far the timeline of main reached when it was opened, before it took in anything.
  std::optional<lsn> opened_at(size_t logged_before) const {
    const std::string log = repository.node_log();
    const std::string text = "timeline " + timeline() + ": open up to ";
    const size_t at = log.find(text, logged_before);
    if (at == std::string::npos) return {};
    const size_t begin = at + text.size();
    const size_t end = log.find(' ', begin);
    if (end == std::string::npos) return {};
    return *parse_lsn(log.substr(begin, end - begin));
  }
  const std::string& timeline() const {
    if (timeline_.empty())
      timeline_ = repository.wal_directory("main").parent_path().filename().string();
    return timeline_;
  }
  void expect_no_damage() const {
    const auto checked = repository.run({"check"});
    EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  }
  void expect_branches(const steady_commands& commands) const {
    std::set<std::string> there;
    for (const auto& one : repository.run_ok({"branch"})) there.insert(one["name"]);
    for (const std::string& name : commands.made()) EXPECT_TRUE(there.contains(name)) << name;
    for (const std::string& name : commands.deleted()) EXPECT_FALSE(there.contains(name)) << name;
  }
  // A node that is killed on its way up: after so many lines of its log, or once it serves.
  void kill_while_it_starts(long lines) const {
    const long before = lines_logged();
    std::atomic<bool> over{false};
    std::thread starts([&] {
      repository.run({"start"});
      over = true;
    });
    EXPECT_TRUE(wait_until([&] {
      return over || (repository.node_process() != 0 && lines_logged() >= before + lines);
    }));
    repository.kill_node();
    starts.join();
  }
  long lines_logged() const {
    const std::string log = repository.node_log();
    return std::count(log.begin(), log.end(), '\n');
  }
  // Everything that the stopped server has, and what stays in the repository.
  void expect_all_right() {
    work->stop();
    repository.run_ok({"pg", "stop", "main"});
    const json report = repository.run_ok({"verify", "main", pgdata().string()});
    EXPECT_TRUE(report["ok"].get<bool>()) << report;
    EXPECT_GT(report["pages"].get<uint64_t>(), 0u);
    repository.run_ok({"compact", "main"});
    EXPECT_TRUE(wait_until([&] {
      repository.run_ok({"gc"});
      return repository.run_ok({"check"})["unreferenced"].empty();
    })) << repository.run_ok({"check"});
    repository.run_ok({"pg", "start", "main"});
    EXPECT_EQ(work->what_is_missing(main), "");
    begin_writing();
  }
  // The server is gone with all that it had; the next one has what the node has.
  void lose_the_server(pid_t server) {
    ASSERT_EQ(kill(server, SIGKILL), 0);
    work->stop();
    ASSERT_TRUE(wait_until([&] { return repository.server_process("main") == 0; }));
  }
  void make_the_server_again() {
    repository.run_ok({"pg", "destroy", "main", "--force"});
    repository.run_ok({"pg", "create", "main", "--sync", "--start"});
    main = repository.conninfo("main");
    EXPECT_EQ(work->what_is_missing(main), "");
    begin_writing();
  }

  void round(int number, std::mt19937_64& random) {
    steady_commands commands(repository, number);
    const uint64_t commits = work->acknowledged() + 1 + random() % 100;
    const int given = static_cast<int>(random() % 4);
    ASSERT_TRUE(wait_until([&] { return work->acknowledged() >= commits; }))
        << repository.run({"status"}).output;
    // Commands may be slow beside constant writes: fewer of them do as well.
    wait_until([&] { return commands.given() >= given; }, 15'000);
    const pid_t server = repository.server_process("main");
    repository.kill_node();
    commands.join();
    const bool loses_server = random() % 5 == 0;
    const lsn told = confirmed();
    if (loses_server) lose_the_server(server);
    if (HasFatalFailure()) return;
    expect_no_damage();
    if (random() % 3 == 0) kill_while_it_starts(static_cast<long>(random() % 3));
    const size_t logged = repository.node_log().size();
    repository.run_ok({"start"});
    if (loses_server) repository.run_ok({"lsn", "main@" + to_string(told)});
    std::optional<lsn> reached;
    ASSERT_TRUE(wait_until([&] { return (reached = opened_at(logged)).has_value(); }));
    EXPECT_GE(*reached, told);
    expect_branches(commands);
    if (loses_server) make_the_server_again();
    // Commits that waited for the node return, and others do after them.
    const uint64_t more = work->acknowledged() + writers + 1;
    ASSERT_TRUE(wait_until([&] { return work->acknowledged() >= more; }))
        << repository.run({"status"}).output;
  }

  zenith_repository repository;
  std::string main;  // how to reach that server, with no node to ask
  std::optional<steady_writers> work;
  mutable std::string timeline_;
};

TEST_F(killed_node, has_all_that_it_acknowledged_and_every_page_right) {
  const long rounds = test_setting("ZENITH_TEST_ROUNDS", full_test_level() ? 200 : 20);
  std::cout << "seed " << test_seed() << "\n";
  std::mt19937_64 random(test_seed());
  for (int number = 1; number <= rounds; ++number) {
    SCOPED_TRACE("round " + std::to_string(number));
    round(number, random);
    if (!HasFailure() && number % 4 == 0) expect_all_right();
    if (HasFailure()) {
      std::cout << repository.node_log();
      return;
    }
  }
}

}  // namespace
}  // namespace zenith::testing
