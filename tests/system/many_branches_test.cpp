// Branches in numbers and in depth on a real node: listed, kept and read at little cost.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include "cli/node_client.hpp"
#include "storage/io/durable_file.hpp"
#include "storage/repository/node_file.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/test_level.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

template <class T>
T must(result<T> done) {
  if (!done) throw std::runtime_error(done.error().message);
  return std::move(*done);
}

uint64_t status_field(pid_t process, const std::string& field) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::stoull(line.substr(field.size()));
  return 0;
}

uint64_t allocated_bytes(const fs::path& file) {
  struct stat found {};
  return stat(file.c_str(), &found) == 0 ? static_cast<uint64_t>(found.st_blocks) * 512 : 0;
}

class many_branches : public ::testing::Test {
 protected:
  many_branches() {
    repository.init({{"open_layer_age", "1s"}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    sql_session(repository.conninfo("main")).execute("create table t as select 0 as level");
  }

  cli::node_client node() const {
    return must(cli::node_client::connect(repository.zenith_directory()));
  }
  std::map<std::string, actors::branch_info> listed() const {
    std::map<std::string, actors::branch_info> all;
    for (auto& one : must(node().branches())) all.emplace(one.name, one);
    return all;
  }
  sql_session pages() const {
    const auto file = must(repository::decode_node_file(must(read_metadata_file(
        posix_file_system(), repository.zenith_directory() / repository::node_file_name))));
    return sql_session(file.page_address);
  }
  // Timelines that were opened as a whole since the node began to log.
  size_t opened() const {
    const std::string log = repository.node_log();
    size_t count = 0;
    for (size_t at = log.find(": open up to"); at != std::string::npos;
         at = log.find(": open up to", at + 1))
      ++count;
    return count;
  }

  zenith_repository repository;
};

TEST_F(many_branches, of_one_parent_cost_next_to_nothing) {
  const size_t count = full_test_level() ? 10'000 : 1000;
  repository.run_ok({"pg", "stop", "main"});
  actors::branch_info last;
  {
    auto client = node();
    for (size_t i = 0; i < count; ++i)
      last = must(client.make_branch(fmt::format("b{}", i), "main")).branch;
  }
  const fs::path folder = repository.zenith_directory() / "timelines" / last.timeline;
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
  const auto ref = repository.zenith_directory() / "refs" / "branches" / last.name;
  EXPECT_LE(
      allocated_bytes(folder) + allocated_bytes(folder / "timeline.json") + allocated_bytes(ref),
      16u * 1024);

  repository.run_ok({"stop"});
  repository.run_ok({"start"});
  const size_t opened_before = opened();
  const auto all = listed();
  ASSERT_EQ(all.size(), count + 1);
  EXPECT_EQ(all.at("main").last_lsn, last.start_lsn);
  EXPECT_EQ(all.at("b7").last_lsn, last.start_lsn);
  EXPECT_EQ(must(node().status()).timelines.size(), count + 1);
  EXPECT_EQ(opened(), opened_before) << "listing opens timelines";

  // All open at once: one thread for their parent, and little memory for each.
  const pid_t process = repository.node_process();
  sql_session asks = pages();
  const auto read = [&](const actors::branch_info& one) {
    return asks.value(fmt::format("controlfile {} {}", one.timeline, to_string(lsn{one.last_lsn})));
  };
  const std::string expected = read(all.at("b0"));
  EXPECT_FALSE(expected.empty());
  const uint64_t threads = status_field(process, "Threads:");
  const uint64_t before_kb = status_field(process, "VmRSS:");
  for (const auto& [name, one] : all) ASSERT_EQ(read(one), expected) << name;
  EXPECT_LE(status_field(process, "Threads:"), threads + 2);
  const uint64_t grown_bytes = (status_field(process, "VmRSS:") - before_kb) * 1024;
  EXPECT_LE(grown_bytes, count * 8 * 1024 + (2u << 20));
  EXPECT_EQ(opened(), opened_before + 1);
  EXPECT_EQ(listed().size(), count + 1);
}

TEST_F(many_branches, that_were_written_to_show_where_they_end_without_being_opened) {
  repository.run_ok({"branch", "touched"});
  repository.run_ok({"branch", "untouched"});
  repository.run_ok({"pg", "create", "touched", "--start"});
  sql_session(repository.conninfo("touched")).execute("insert into t values (1)");
  repository.run_ok({"pg", "stop", "touched"});
  repository.run_ok({"pg", "stop", "main"});
  const auto before = listed();
  EXPECT_GT(before.at("touched").last_lsn, before.at("touched").start_lsn);
  repository.kill_node();
  repository.run_ok({"start"});
  const size_t opened_before = opened();
  const auto after = listed();
  for (const auto& [name, one] : before) EXPECT_EQ(after.at(name).last_lsn, one.last_lsn) << name;
  EXPECT_EQ(opened(), opened_before);
  repository.run_ok({"branch", "late", "touched"});
  EXPECT_EQ(listed().at("late").start_lsn, before.at("touched").last_lsn);
}

TEST_F(many_branches, an_untouched_one_is_read_branched_and_then_written_to) {
  repository.run_ok({"branch", "child"});
  repository.run_ok({"branch", "grandchild", "child"});
  const auto all = listed();
  EXPECT_EQ(all.at("grandchild").start_lsn, all.at("child").start_lsn);
  // What lies past its end is waited for by the timeline itself.
  repository.run_ok({"pg", "create", "reader", "grandchild", "--read-only", "--start"});
  EXPECT_EQ(sql_session(repository.conninfo("reader")).value("select count(*) from t"), "1");
  repository.run_ok({"pg", "create", "grandchild", "--start"});
  sql_session(repository.conninfo("grandchild")).execute("insert into t values (1), (2)");
  repository.run_ok({"branch", "of_written", "grandchild"});
  repository.run_ok({"pg", "create", "of_written", "--start"});
  EXPECT_EQ(sql_session(repository.conninfo("of_written")).value("select count(*) from t"), "3");
  EXPECT_EQ(sql_session(repository.conninfo("main")).value("select count(*) from t"), "1");
  EXPECT_GT(listed().at("grandchild").last_lsn, all.at("grandchild").last_lsn);
}

TEST_F(many_branches, in_a_chain_with_writes_at_each_level_keep_what_each_level_saw) {
  const int depth = full_test_level() ? 1000 : 12;
  std::string parent = "main";
  for (int level = 1; level <= depth; ++level) {
    const std::string name = fmt::format("level{}", level);
    repository.run_ok({"branch", name, parent});
    repository.run_ok({"pg", "create", name, "--start"});
    sql_session(repository.conninfo(name)).execute(fmt::format("insert into t values ({})", level));
    repository.run_ok({"pg", "stop", name});
    repository.run_ok({"pg", "destroy", name, "--force"});
    parent = name;
  }
  const auto expect_levels = [&] {
    for (int level : {1, depth / 2, depth}) {
      const std::string name = fmt::format("level{}", level);
      repository.run_ok({"pg", "create", "look", name, "--read-only", "--start"});
      EXPECT_EQ(sql_session(repository.conninfo("look"))
                    .value("select count(*) || ' ' || max(level) from t"),
                fmt::format("{} {}", level + 1, level));
      repository.run_ok({"pg", "destroy", "look", "--force"});
    }
  };
  repository.run_ok({"pg", "stop", "main"});
  repository.run_ok({"stop"});
  repository.run_ok({"start"});
  const size_t opened_before = opened();
  repository.run_ok({"lsn", parent});
  // What of it was not written yet is read on top of its parent, which has layers of its own.
  EXPECT_LE(opened(), opened_before + 3) << "the deepest needs its ancestors to be open";
  expect_levels();
  repository.run_ok({"gc"});
  repository.run_ok({"compact", parent});
  expect_levels();
}

}  // namespace
}  // namespace zenith::testing
