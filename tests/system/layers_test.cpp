// A node whose memory is far smaller than its history: layers are written, merged, read and
// removed, and what servers and branches see is the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <limits>

#include "tests/support/postgres_server.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/zenith_repository.hpp"
#include "tests/system/page_stream.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

uint64_t resident_bytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

// All layer files of a repository, in bytes; some may go while they are counted.
uint64_t layer_files_bytes(const fs::path& zenith) {
  uint64_t bytes = 0;
  for (const auto& one : fs::recursive_directory_iterator(zenith / "timelines")) {
    if (one.path().extension() != ".delta") continue;
    std::error_code failure;
    const uint64_t size = one.file_size(failure);
    if (!failure) bytes += size;
  }
  return bytes;
}

class layered_node : public ::testing::Test {
 protected:
  static constexpr uint64_t memory_limit_bytes = uint64_t{128} << 20;

  layered_node() {
    repository.init({{"memory_limit", "128MB"},
                     {"open_layer_size", "2MB"},
                     {"layer_file_size", "1MB"},
                     {"open_layer_age", "2s"},
                     {"history_window", "0ms"},
                     {"history_size", "1MB"}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    pgbench("main", {"-i", "-q", "-s", full_test_level() ? "10" : "2"});
  }

  void pgbench(const std::string& server, const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{pg_program("pgbench")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.push_back(repository.conninfo(server));
    run_ok(command);
  }
  void work(const std::string& server) const {
    pgbench(server, {"-n", "-c", "2", "-t", full_test_level() ? "20000" : "1500"});
  }
  std::string sums_of(const std::string& server) const {
    return sql_session(repository.conninfo(server))
        .value(
            "select (select sum(abalance) from pgbench_accounts) || ' ' || (select sum(delta) "
            "from pgbench_history) || ' ' || (select count(*) from pgbench_history)");
  }
  json status_of(const std::string& branch) const {
    const json status = repository.run_ok({"status"});
    for (const auto& one : status["timelines"])
      if (one["branch"] == branch) return one;
    throw std::runtime_error("no timeline of " + branch);
  }
  bool is_right(const std::string& point, const std::string& server) const {
    const json report = repository.run_ok(
        {"verify", point,
         (repository.zenith_directory() / "computes" / server / "pgdata").string()});
    return report["ok"].get<bool>() && report["pages"].get<uint64_t>() > 0;
  }

  zenith_repository repository;
};

TEST_F(layered_node, keeps_its_memory_bounded_and_everything_right) {
  uint64_t resident_most = 0;
  for (int round = 0; round < 3; ++round) {
    work("main");
    resident_most = std::max(resident_most, resident_bytes(repository.node_process()));
  }
  const std::string sums = sums_of("main");
  ASSERT_TRUE(wait_until([&] { return status_of("main")["layers"].get<uint64_t>() > 2; }));
  const json status = repository.run_ok({"status"});
  EXPECT_EQ(status["memory_limit_bytes"], memory_limit_bytes);
  EXPECT_LE(status["memory_bytes"].get<uint64_t>(), memory_limit_bytes);
  const json main = status_of("main");
  EXPECT_GT(main["flushed_bytes"].get<uint64_t>(), 0u);
  EXPECT_GT(main["wal_bytes"].get<uint64_t>(), uint64_t{4} << 20);
  EXPECT_TRUE(main["problem"].is_null()) << main["problem"];
  std::cout << "resident at most " << (resident_most >> 20) << " MiB of "
            << (memory_limit_bytes >> 20) << "; " << main.dump() << "\n";
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LE(resident_most, memory_limit_bytes);
#endif

  // A branch of now, and a server on it, read from layers what main holds.
  repository.run_ok({"branch", "child"});
  repository.run_ok({"pg", "create", "child", "--start"});
  EXPECT_EQ(sums_of("child"), sums);
  work("child");
  EXPECT_EQ(sums_of("main"), sums);
  for (const std::string name : {"main", "child"}) {
    repository.run_ok({"pg", "stop", name});
    EXPECT_TRUE(is_right(name, name));
  }
  // Merged to the end, it is the same, and a read looks at few layers.
  repository.run_ok({"compact", "main"});
  EXPECT_TRUE(is_right("main", "main"));
  EXPECT_LE(status_of("main")["layer_depth"].get<uint64_t>(), 10u);

  // The node comes back from its layers, with next to no WAL to read.
  repository.run_ok({"stop"});
  repository.run_ok({"start"});
  EXPECT_TRUE(is_right("main", "main"));
  EXPECT_TRUE(is_right("child", "child"));
  EXPECT_EQ(status_of("main")["last_lsn"], status_of("main")["durable_lsn"]);
}

TEST_F(layered_node, gives_back_the_space_of_what_is_deleted_and_refuses_what_is_gone) {
  const std::string before = to_string(repository.lsn_of("main"));
  repository.run_ok({"tag", "kept"});
  // Or merges might have left out all that can go before anybody asks.
  repository.run_ok({"config", "--branch", "main", "history_window", "30d"});
  repository.run_ok({"branch", "child"});
  repository.run_ok({"pg", "create", "child", "--start"});
  work("child");
  work("main");
  for (const std::string name : {"main", "child"}) repository.run_ok({"pg", "stop", name});
  // Nothing is left to merge or to sweep that would go by itself later.
  ASSERT_TRUE(wait_until([&] {
    for (const std::string name : {"main", "child"}) repository.run_ok({"compact", name});
    return repository.run_ok({"check"})["unreferenced"].empty();
  })) << repository.run_ok({"check"});
  repository.run_ok({"config", "--branch", "main", "history_window", "0ms"});
  const std::string timeline = status_of("child")["id"];
  const uint64_t with_child = layer_files_bytes(repository.zenith_directory());
  const json would = repository.run_ok({"gc", "--dry-run"});
  EXPECT_EQ(layer_files_bytes(repository.zenith_directory()), with_child);
  EXPECT_GT(would["kept_bytes"].get<uint64_t>(), 0u);
  EXPECT_NE(would["kept"].dump().find("kept"), std::string::npos) << would.dump();
  EXPECT_GT(would["estimated_bytes"].get<uint64_t>(), 0u) << would.dump();

  repository.run_ok({"branch", "--delete", "child", "--force"});
  repository.run_ok({"gc"});
  EXPECT_FALSE(fs::exists(repository.zenith_directory() / "timelines" / timeline));
  EXPECT_LT(layer_files_bytes(repository.zenith_directory()), with_child);
  EXPECT_TRUE(is_right("main", "main"));

  // A state that a tag holds can be read; one between it and the window cannot, and says so.
  repository.run_ok({"page", "kept", "1664/0/1262", "main", "0"});
  const std::string earliest = status_of("main")["readable_from"];
  ASSERT_GT(*parse_lsn(earliest), *parse_lsn(before));
  const std::string gone = to_string(lsn{parse_lsn(before)->value() + 4096});
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"branch", "late", "main@" + gone},
           {"page", "main@" + gone, "1664/0/1262", "main", "0"},
           {"pg", "create", "late", "main@" + gone, "--read-only"},
           {"export", "main@" + gone, (repository.scratch() / "late").string()},
           {"lsn", "main@" + gone}}) {
    const auto refused = repository.run(command);
    EXPECT_EQ(refused.exit_code, 1) << command[0];
    EXPECT_NE(refused.errors.find(earliest), std::string::npos) << refused.errors;
  }
  repository.run_ok({"branch", "held", "kept"});

  // A branch can have a window of its own.
  repository.run_ok({"config", "--branch", "main", "history_window", "30d"});
  EXPECT_EQ(repository.run_ok({"config", "--branch", "main", "history_window"})["value"], "30d");
  EXPECT_EQ(repository.run_ok({"config", "history_window"})["value"], "0ms");
  EXPECT_EQ(repository.run({"config", "--branch", "main", "memory_limit", "1GB"}).exit_code, 1);
}

TEST_F(layered_node, goes_on_with_a_read_whose_state_is_gone_for_all_others) {
  // However slow all this is, the connection keeps its view.
  repository.run_ok({"stop"});
  repository.run_ok({"config", "view_lifetime", "1h"});
  repository.run_ok({"start"});
  repository.run_ok({"pg", "start", "main"});
  const auto relation = [&] {
    sql_session session(repository.conninfo("main"));
    const auto row = session.rows(
        "select d.oid, c.relfilenode, pg_relation_size(c.oid) / 8192 from pg_class c, "
        "pg_database d where c.relname = 'pgbench_accounts' and d.datname = current_database()");
    const relation_id id{1663, static_cast<uint32_t>(std::stoul(row.at(0).at(0))),
                         static_cast<uint32_t>(std::stoul(row[0][1]))};
    return std::pair(id, static_cast<block_number>(std::stoul(row[0][2])));
  }();
  const auto& [accounts, blocks] = relation;
  work("main");
  const lsn at = repository.lsn_of("main");
  const std::string address = repository.run_ok({"status"})["page_address"];
  const std::string timeline = status_of("main")["id"];
  page_stream held(address, timeline);
  std::vector<page> before(blocks);
  for (block_number block = 0; block < blocks; ++block)
    before[block] = held.get_page(accounts, block, at);

  work("main");
  work("main");
  repository.run_ok({"pg", "stop", "main"});
  repository.run_ok({"compact", "main"});
  repository.run_ok({"gc"});
  const lsn end = repository.lsn_of("main");
  ASSERT_GT(*parse_lsn(status_of("main")["readable_from"].get<std::string>()), at);
  // Finished pages of now take the place of those that were kept.
  page_stream late(address, timeline);
  size_t changed = 0;
  for (block_number block = 0; block < blocks; ++block)
    changed += late.get_page(accounts, block, end).data == before[block].data ? 0 : 1;
  EXPECT_GT(changed, blocks / 2u);
  EXPECT_THROW(late.get_page(accounts, 0, at), std::runtime_error);
  for (block_number block = 0; block < blocks; ++block)
    ASSERT_EQ(held.get_page(accounts, block, at).data, before[block].data) << block;
}

TEST_F(layered_node, closes_a_branch_that_nobody_uses_and_opens_it_on_the_next_request) {
  repository.run_ok({"stop"});
  for (const char* key : {"timeline_idle_timeout", "view_lifetime"})
    repository.run_ok({"config", key, "100ms"});
  repository.run_ok({"start"});
  repository.run_ok({"pg", "start", "main"});
  work("main");
  // As long as a server writes to it, it stays open.
  EXPECT_EQ(status_of("main")["state"], "open");
  repository.run_ok({"pg", "stop", "main"});
  int fastest_ms = std::numeric_limits<int>::max();
  for (int round = 0; round < 5; ++round) {
    json main;
    ASSERT_TRUE(wait_until([&] { return (main = status_of("main"))["state"] == "idle"; })) << main;
    EXPECT_EQ(main["memory_bytes"], 0u);
    EXPECT_TRUE(main["problem"].is_null()) << main["problem"];
    EXPECT_TRUE(is_right("main", "main"));
    const std::string log = repository.node_log();
    const size_t at = log.rfind(": open up to ");
    const size_t took = log.find(" after ", at);
    ASSERT_NE(took, std::string::npos) << log;
    std::cout << log.substr(at + 2, log.find('\n', at) - at - 2) << "\n";
    fastest_ms = std::min(fastest_ms, std::stoi(log.substr(took + 7)));
  }
  // Everything was in files: no WAL had to be read again. A busy machine may slow single rounds.
  EXPECT_LE(fastest_ms, 50);
}

// Many ask while it closes again and again: two actors on its folder would lose each other's files.
TEST_F(layered_node, is_right_where_a_branch_is_asked_for_while_it_closes) {
  repository.run_ok({"pg", "stop", "main"});
  repository.run_ok({"stop"});
  for (const char* key : {"timeline_idle_timeout", "view_lifetime"})
    repository.run_ok({"config", key, "100ms"});
  repository.run_ok({"start"});
  const int rounds = full_test_level() ? 100 : 15;
  for (int round = 0; round < rounds; ++round) {
    const std::string branch = "b" + std::to_string(round);
    repository.run_ok({"branch", branch});
    repository.run_ok({"compact", "main"});
    repository.run_ok({"gc"});
    repository.run_ok({"branch", "--delete", branch});
  }
  EXPECT_TRUE(is_right("main", "main"));
  repository.run_ok({"stop"});
  const auto checked = repository.run({"check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
}

TEST_F(layered_node, removes_a_timeline_that_is_open_with_the_last_tag_on_it) {
  repository.run_ok({"branch", "child"});
  repository.run_ok({"pg", "create", "child", "--start"});
  work("child");
  repository.run_ok({"pg", "stop", "child"});
  repository.run_ok({"tag", "kept", "child"});
  const fs::path folder =
      repository.zenith_directory() / "timelines" / status_of("child")["id"].get<std::string>();
  repository.run_ok({"branch", "--delete", "child", "--force"});
  ASSERT_TRUE(fs::exists(folder));
  repository.run_ok({"page", "kept", "1664/0/1262", "main", "0"});
  repository.run_ok({"tag", "--delete", "kept"});
  EXPECT_FALSE(fs::exists(folder));
  repository.run_ok({"pg", "stop", "main"});
  EXPECT_TRUE(is_right("main", "main"));
}

}  // namespace
}  // namespace zenith::testing
