// A node with many timelines open, each with changes of its own: one setting bounds what it takes.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <random>

#include "storage/repository/repository.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/zenith_repository.hpp"
#include "tests/system/page_stream.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

template <class T>
T value_of(result<T> given) {
  if (!given) throw std::runtime_error(given.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*given);
}

// Many branches of one point, each with the WAL that a real server wrote on one of them: they have
// their pg_timeline in common, so it is as good for the others.
class many_timelines : public ::testing::Test {
 protected:
  static constexpr const char* first = "first";

  void make(size_t count, const std::string& memory_limit) {
    repository.init({{"memory_limit", memory_limit}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    pgbench("main", {"-i", "-q", "-s", "1"});
    repository.run_ok({"pg", "stop", "main"});
    repository.run_ok({"branch", first});
    repository.run_ok({"pg", "create", first, "--start"});
    begin = repository.lsn_of(first);
    pgbench(first, {"-n", "-c", "1", "-t", "100"});
    const auto file = sql_session(repository.conninfo(first))
                          .rows(
                              "select oid, pg_relation_filenode('pgbench_accounts'), "
                              "pg_relation_size('pgbench_accounts') / 8192 from pg_database "
                              "where datname = 'postgres'")[0];
    accounts = {1663, static_cast<uint32_t>(std::stoul(file[0])),
                static_cast<uint32_t>(std::stoul(file[1]))};
    blocks = std::stoul(file[2]);
    repository.run_ok({"pg", "stop", first});
    end = repository.lsn_of(first);
    repository.run_ok({"stop"});
    copy_first(count);
    repository.run_ok({"start"});
  }

  void pgbench(const std::string& server, const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{pg_program("pgbench")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.push_back(repository.conninfo(server));
    run_ok(command);
  }
  void copy_first(size_t count) {
    auto names =
        value_of(repository::repository::open(posix_file_system(), repository.zenith_directory()));
    const auto source = value_of(names.branch(first)).timeline;
    auto metadata = value_of(names.timeline(source));
    ids.push_back(source);
    for (size_t i = 1; i < count; ++i) {
      store(metadata.id.value.data(), static_cast<uint64_t>(i));
      ids.push_back(metadata.id);
      value_of(names.create_branch("b" + std::to_string(i), metadata));
      fs::create_directories(names.wal_directory(metadata.id));
      for (const auto& one : fs::directory_iterator(names.wal_directory(source)))
        fs::create_hard_link(one.path(), names.wal_directory(metadata.id) / one.path().filename());
    }
    give_to_database_user(repository.zenith_directory() / "refs");
    give_to_database_user(repository.zenith_directory() / "timelines");
  }
  // Some pages of every timeline, as of its end.
  void read_all(size_t pages_each) {
    const std::string address = repository.run_ok({"status"})["page_address"];
    for (const timeline_id& id : ids) {
      page_stream stream(address, to_string(id));
      for (size_t i = 0; i < pages_each; ++i) {
        const auto block = static_cast<block_number>(random() % blocks);
        const page got = stream.get_page(accounts, block, end);
        if (id == ids.front()) {
          expected[block] = got;
        } else if (expected.contains(block)) {
          ASSERT_EQ(got.data, expected[block].data);
        }
      }
    }
  }
  void report(const std::string& when) const {
    const json status = repository.run_ok({"status"});
    size_t open = 0;
    size_t written = 0;
    for (const auto& one : status["timelines"]) {
      if (one["state"] == "open") ++open;
      if (one["flushed_bytes"].get<uint64_t>() != 0) ++written;
    }
    std::cout << when << ": " << open << " open, " << written << " with layers of their own; "
              << (status["memory_bytes"].get<uint64_t>() >> 20) << " MiB in caches and layers, "
              << (resident_most() >> 20) << " resident at most\n";
    EXPECT_LE(status["memory_bytes"].get<uint64_t>(), status["memory_limit_bytes"].get<uint64_t>());
    EXPECT_GE(open, ids.size());
#ifndef __SANITIZE_ADDRESS__
    EXPECT_LE(resident_most(), status["memory_limit_bytes"].get<uint64_t>());
#endif
  }
  // Of the node, since its start.
  uint64_t resident_most() const {
    std::ifstream status("/proc/" + std::to_string(repository.node_process()) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
    return 0;
  }

  zenith_repository repository;
  std::vector<timeline_id> ids;
  relation_id accounts;
  size_t blocks = 0;
  lsn begin;
  lsn end;
  std::map<block_number, page> expected;
  std::mt19937_64 random{test_seed()};
};

TEST_F(many_timelines, take_no_more_memory_than_the_setting_says) {
  make(full_test_level() ? 1000 : 300, full_test_level() ? "256MB" : "128MB");
  std::cout << ids.size() << " timelines, each with " << (end - begin) / 1024 << " KiB of WAL\n";
  read_all(2);
  report("all opened");
  for (int round = 0; round < 2; ++round) {
    read_all(20);
    report("all read");
  }
}

}  // namespace
}  // namespace zenith::testing
