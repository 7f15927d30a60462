// The command line's story with the real node and real servers.
#include <gtest/gtest.h>

#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

using words = std::vector<std::string>;

TEST(commands, init_start_write_branch_and_stop) {
  const zenith_repository repository;
  const auto made = repository.run_ok({"init"});
  EXPECT_EQ(made["repository"], repository.zenith_directory().string());
  EXPECT_EQ(made["branch"], "main");
  EXPECT_EQ(made["timeline"].get<std::string>().size(), 32u);
  EXPECT_EQ(repository.run_ok({"status"})["running"], false);

  const auto started = repository.run_ok({"start"});
  EXPECT_EQ(started["running"], true);
  EXPECT_EQ(started["pid"], repository.node_process());

  const auto main = repository.run_ok({"pg", "create", "main", "--start"});
  EXPECT_EQ(main["branch"], "main");
  EXPECT_EQ(main["lsn"], made["lsn"]);
  sql_session parent(main["uri"]);
  parent.execute("create table t (n int); insert into t values (1)");

  const auto branch = repository.run_ok({"branch", "trial"});
  EXPECT_EQ(branch["parent"], "main");
  EXPECT_FALSE(branch["moved"]);
  parent.execute("insert into t values (2)");
  const auto trial = repository.run_ok({"pg", "create", "trial", "--start"});
  EXPECT_EQ(trial["branch"], "trial");
  EXPECT_EQ(trial["lsn"], branch["start_lsn"]);
  sql_session child(trial["uri"]);
  EXPECT_EQ(child.value("select string_agg(n::text, ',') from t"), "1");
  child.execute("insert into t values (3)");
  EXPECT_EQ(parent.value("select string_agg(n::text, ',' order by n) from t"), "1,2");

  const auto stopped = repository.run_ok({"pg", "stop", "trial"});
  EXPECT_EQ(stopped["state"], "stopped");
  repository.run_ok({"stop"});
  EXPECT_EQ(repository.node_process(), 0);
  EXPECT_EQ(repository.server_process("main"), 0);
}

}  // namespace
}  // namespace zenith::testing
