// Points through a branch at LSNs before its start: named only where their owner keeps them still.
#include <gtest/gtest.h>

#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

using nlohmann::json;

class points_above : public ::testing::Test {
 protected:
  points_above() {
    repository.init(
        {{"open_layer_size", "1MB"}, {"history_window", "0ms"}, {"history_size", "1MB"}});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "create", "main", "--start"});
    write("main", "create table t as select 1 as n");
    tagged = to_string(repository.lsn_of("main"));
    write("main", "insert into t values (2)");
    untagged = to_string(repository.lsn_of("main"));
    write("main", "insert into t values (3)");
    repository.run_ok({"tag", "kept", "main@" + tagged});
    repository.run_ok({"branch", "child"});
    repository.run_ok({"branch", "bare"});
    // What the child reads of before its start it keeps for long, in files that it names itself.
    repository.run_ok({"config", "--branch", "child", "history_window", "30d"});
    repository.run_ok({"pg", "create", "child", "--start"});
    write("child", "insert into t values (4)");
    repository.run_ok({"pg", "destroy", "child", "--force"});
    repository.run_ok({"compact", "child"});
  }
  void write(const std::string& server, const std::string& sql) {
    sql_session(repository.conninfo(server)).execute(sql);
  }
  std::string readable_from(const std::string& branch) {
    const json status = repository.run_ok({"status"});
    for (const json& one : status["timelines"])
      if (one["branch"] == branch) return one["readable_from"];
    throw std::runtime_error("no timeline of " + branch);
  }
  void let_go_of_old_states() {
    write("main", "create table filler as select generate_series(1, 60000)");
    write("main", "drop table filler");
    repository.run_ok({"pg", "stop", "main"});
    repository.run_ok({"compact", "main"});
    repository.run_ok({"gc"});
    ASSERT_GT(*parse_lsn(readable_from("main")), *parse_lsn(untagged));
    ASSERT_LT(*parse_lsn(readable_from("child")), *parse_lsn(tagged));
  }
  std::string rows_of(const std::string& server) {
    return sql_session(repository.conninfo(server))
        .value("select string_agg(n::text, ',' order by n) from t");
  }

  zenith_repository repository;
  std::string tagged;
  std::string untagged;
};

TEST_F(points_above, get_a_name_as_long_as_their_owner_keeps_them) {
  const auto branch = repository.run_ok({"branch", "early", "child@" + untagged});
  EXPECT_EQ(branch["start_lsn"], untagged);
  EXPECT_EQ(repository.run_ok({"tag", "early_tag", "child@" + untagged})["lsn"], untagged);
  // The names keep it from now on.
  let_go_of_old_states();
  repository.run_ok({"branch", "late", "child@" + untagged});
  repository.run_ok({"pg", "create", "late", "--start"});
  EXPECT_EQ(rows_of("late"), "1,2");
}

TEST_F(points_above, get_none_once_their_owner_has_let_them_go) {
  let_go_of_old_states();
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"branch", "late", "child@" + untagged}, {"tag", "late", "child@" + untagged}}) {
    const auto refused = repository.run(command);
    EXPECT_EQ(refused.exit_code, 1) << command[0] << ": " << refused.output;
    EXPECT_NE(refused.errors.find("is not kept any more by timeline"), std::string::npos)
        << command[0] << ": " << refused.errors;
    EXPECT_NE(refused.errors.find(readable_from("main")), std::string::npos) << refused.errors;
  }
  // A branch that has no files reads its owner's.
  const auto refused = repository.run({"pg", "create", "late", "bare@" + untagged, "--read-only"});
  EXPECT_EQ(refused.exit_code, 1) << refused.output;
  EXPECT_NE(refused.errors.find("before the history that is kept"), std::string::npos)
      << refused.errors;
  // A server reads what the child has, and the child keeps it for the server.
  repository.run_ok({"pg", "create", "look", "child@" + untagged, "--read-only", "--start"});
  EXPECT_EQ(rows_of("look"), "1,2");
  // What the tag holds is there for all.
  repository.run_ok({"branch", "of_kept", "child@" + tagged});
  repository.run_ok({"pg", "create", "of_kept", "--start"});
  EXPECT_EQ(rows_of("of_kept"), "1");
}

}  // namespace
}  // namespace zenith::testing
