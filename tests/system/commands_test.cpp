// The command line's story with the real node and real servers.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using words = std::vector<std::string>;

TEST(commands, init_start_write_branch_and_stop) {
  const zenith_repository repository;
  const auto made = repository.init({});
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

// A value that begins with a dash is a value; each level's files are read by a node of another.
TEST(commands, config_takes_each_level_of_compression_and_merges_by_it) {
  const zenith_repository repository;
  repository.init({});
  repository.run_ok({"start"});
  repository.run_ok({"pg", "create", "main", "--start"});
  repository.run_ok({"pg", "stop", "main"});
  std::string expected;
  for (const std::string level : {"-1", "0", "19"}) {
    EXPECT_EQ(repository.run_ok({"config", "merge_compression_level", level})["value"], level);
    EXPECT_EQ(repository.run_ok({"config", "merge_compression_level"})["value"], level);
    repository.run_ok({"stop"});
    repository.run_ok({"start"});
    repository.run_ok({"pg", "start", "main"});
    sql_session(repository.conninfo("main"))
        .execute("create table \"t" + level +
                 "\" as select md5(n::text) from generate_series(1, 3000) n");
    expected += "t" + level + " ";
    repository.run_ok({"pg", "stop", "main"});
    repository.run_ok({"compact", "main"});
    const auto report = repository.run_ok(
        {"verify", "main",
         (repository.zenith_directory() / "computes" / "main" / "pgdata").string()});
    EXPECT_EQ(report["ok"], true) << level;
    EXPECT_EQ(repository.run_ok({"check"})["damaged"].size(), 0u) << level;
  }
  for (const char* level : {"-8", "20", "x", "-"}) {
    const auto refused = repository.run({"config", "merge_compression_level", level});
    EXPECT_NE(refused.exit_code, 0) << level << ": " << refused.output;
  }
  EXPECT_EQ(repository.run_ok({"config", "merge_compression_level"})["value"], "19");
  repository.run_ok({"branch", "child"});
  repository.run_ok({"pg", "create", "child", "--start"});
  EXPECT_EQ(
      sql_session(repository.conninfo("child"))
          .value("select string_agg(relname || ' ', '' order by oid) from pg_class where "
                 "relname like 't%' and relkind = 'r' and relnamespace = 'public'::regnamespace"),
      expected);
}

TEST(commands, what_root_makes_belongs_to_the_database_user) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has another user's repository";
  const zenith_repository repository;
  repository.init_and_start();
  struct stat found {};
  ASSERT_EQ(stat(repository.zenith_directory().c_str(), &found), 0);
  EXPECT_NE(found.st_uid, 0u);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  const uid_t owner = found.st_uid;
  for (const auto& entry : fs::recursive_directory_iterator(repository.zenith_directory())) {
    ASSERT_EQ(lstat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, owner) << entry.path();
  }
  ASSERT_EQ(stat(("/proc/" + std::to_string(repository.node_process())).c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, owner);
}

TEST(commands, find_the_repository_as_git_does) {
  const zenith_repository repository;
  repository.run_ok({"init"});
  const fs::path inside = repository.directory() / "a" / "b";
  fs::create_directories(inside);
  const auto from = [&](const words& environment) {
    words command{"env"};
    command.insert(command.end(), environment.begin(), environment.end());
    command.insert(command.end(), {zenith_program(), "--json", "status"});
    return run(command, run_as::myself).exit_code;
  };
  EXPECT_EQ(from({"-C", inside.string()}), 0);
  EXPECT_EQ(from({"-C", repository.scratch().path().string()}), 1);
  EXPECT_EQ(from({"-C", "/", "ZENITH_REPO=" + repository.directory().string()}), 0);
  EXPECT_EQ(from({"-C", "/", "ZENITH_REPO=" + repository.zenith_directory().string()}), 0);
  EXPECT_EQ(from({"-C", inside.string(), "ZENITH_REPO=/nonexistent"}), 1);
}

TEST(commands, tags_points_pages_exports_and_comparisons) {
  const zenith_repository repository;
  repository.init_and_start({"--data-checksums", "--wal-segsize", "1"});
  repository.run_ok({"pg", "create", "main", "--start"});
  sql_session session(repository.conninfo("main"));
  EXPECT_EQ(session.value("show data_checksums"), "on");
  EXPECT_EQ(session.value("show wal_segment_size"), "1MB");
  session.execute("create table t as select generate_series(1, 1000) n; checkpoint");
  const auto tag = repository.run_ok({"tag", "v1"});
  EXPECT_EQ(tag["branch"], "main");
  session.execute("update t set n = n + 1");

  const auto found = repository.run_ok({"lsn", "v1"});
  EXPECT_EQ(found["lsn"], tag["lsn"]);
  EXPECT_FALSE(found["time"].is_null());
  // One byte past a record's start lies inside it.
  const std::string inside =
      "main@" + session.value("select '" + tag["lsn"].get<std::string>() + "'::pg_lsn + 1");
  const auto moved = repository.run_ok({"branch", "moved", inside});
  EXPECT_EQ(moved["moved"], true);
  EXPECT_NE(moved["start_lsn"], tag["lsn"]);
  EXPECT_NE(repository.run_text({"lsn", inside}).output.find("inside a record"), std::string::npos);

  const std::string relation = session.value(
      "select '1663/' || d.oid || '/' || pg_relation_filenode('t') from pg_database d "
      "where datname = current_database()");
  const fs::path file = repository.scratch() / "page";
  const auto page =
      repository.run_ok({"page", "v1", relation, "main", "0", "--out", file.string()});
  EXPECT_EQ(fs::file_size(file), 8192u);
  EXPECT_EQ(page["lsn"], tag["lsn"]);
  EXPECT_EQ(run_ok({"sha256sum", file.string()}, run_as::myself).substr(0, 64), page["sha256"]);
  const auto raw = repository.run_text({"page", "v1", relation, "main", "0"});
  EXPECT_EQ(as_bytes(raw.output).size(), 8192u);
  EXPECT_TRUE(std::ranges::equal(as_bytes(raw.output), read_file(file)));

  const fs::path target = repository.scratch() / "plain";
  const auto exported = repository.run_ok({"export", "v1", target.string()});
  EXPECT_EQ(exported["lsn"], tag["lsn"]);
  postgres_server plain(repository.scratch(), target);
  plain.start();
  EXPECT_EQ(plain.value("select sum(n) from t"), "500500");
  plain.stop();

  repository.run_ok({"pg", "stop", "main"});
  const auto data = repository.zenith_directory() / "computes" / "main" / "pgdata";
  const auto same = repository.run_ok({"verify", "main", data.string()});
  EXPECT_EQ(same["ok"], true);
  EXPECT_GT(same["pages"], 100);
  const auto differs = repository.run({"verify", "v1", data.string()});
  EXPECT_EQ(differs.exit_code, 1);
  EXPECT_EQ(differs.json["ok"], false);
  EXPECT_FALSE(differs.json["mismatches"].empty());
  EXPECT_NE(repository.run_text({"verify", "v1", data.string()}).output.find("mismatches"),
            std::string::npos);
}

TEST(commands, psql_gets_its_own_arguments) {
  const zenith_repository repository;
  repository.init_and_start();
  repository.run_ok({"pg", "create", "main", "--start"});
  EXPECT_EQ(repository.run_text({"pg", "psql", "main", "--", "-Atc", "select 1 + 1"}).output,
            "2\n");
  EXPECT_EQ(
      repository
          .run_text({"pg", "psql", "main", "--", "template1", "-Atc", "select current_database()"})
          .output,
      "template1\n");
  EXPECT_EQ(repository.run_text({"pg", "psql", "main", "--", "-c", "nonsense"}).exit_code, 1);
}

TEST(commands, settings_are_shown_and_set_without_a_node) {
  const zenith_repository repository;
  repository.run_ok({"init"});
  EXPECT_GT(repository.run_ok({"config"}).size(), 10u);
  const auto before = repository.run_ok({"config", "view_lifetime"});
  EXPECT_EQ(before["value"], before["default"]);
  EXPECT_EQ(repository.run_ok({"config", "view_lifetime", "90s"})["value"], "90s");
  EXPECT_EQ(repository.run_ok({"config", "view_lifetime"})["value"], "90s");
  EXPECT_EQ(repository.run({"config", "view_lifetime", "1ms"}).exit_code, 1);
  EXPECT_EQ(repository.run({"config", "view_lifetimes"}).exit_code, 1);
  repository.run_ok({"start"});
}

TEST(commands, a_branch_with_children_or_a_server_is_not_deleted) {
  const zenith_repository repository;
  repository.init_and_start();
  repository.run_ok({"branch", "a"});
  repository.run_ok({"branch", "b", "a"});
  EXPECT_EQ(repository.run({"branch", "--delete", "a"}).exit_code, 1);
  EXPECT_EQ(repository.run({"branch", "--delete", "a", "--force"}).exit_code, 1);
  repository.run_ok({"pg", "create", "b", "--start"});
  EXPECT_EQ(repository.run({"branch", "--delete", "b"}).exit_code, 1);
  EXPECT_EQ(repository.run_ok({"branch", "--rename", "a", "x/y"})["name"], "x/y");
  EXPECT_EQ(repository.run_ok({"branch", "--delete", "b", "--force"})["name"], "b");
  EXPECT_EQ(repository.server_process("b"), 0);
  EXPECT_EQ(repository.run_ok({"branch", "--delete", "x/y"})["name"], "x/y");
  EXPECT_EQ(repository.run_ok({"branch"}).size(), 1u);
}

TEST(commands, completion_works_in_bash) {
  const auto complete = [&](const std::string& typed, int at) {
    return run_ok(
        {"bash", "-c",
         "source <(" + zenith_program() + " completion bash); COMP_WORDS=(zenith " + typed +
             "); COMP_CWORD=" + std::to_string(at) + "; _zenith; echo \"${COMPREPLY[*]}\""},
        run_as::myself);
  };
  EXPECT_EQ(complete("bra", 1), "branch\n");
  EXPECT_EQ(complete("pg cre", 2), "create\n");
  EXPECT_EQ(complete("--repo x pg --json create main --re", 7), "--read-only\n");
}

TEST(commands, an_ordinary_user_has_a_repository_of_their_own) {
  const zenith_repository repository;
  const std::string place = (repository.scratch() / "own").string();
  // The build's folder may be closed to that user.
  const fs::path programs = repository.scratch() / "bin";
  fs::create_directory(programs);
  for (const char* name : {"zenith", "zenithd"})
    fs::copy_file(fs::path(zenith_program()).parent_path() / name, programs / name);
  give_to_database_user(programs);
  const std::string program = (programs / "zenith").string();
  run_ok({program, "--repo", place, "init"});
  const compute_ports ports = own_compute_ports();
  run_ok({program, "--repo", place, "config", "compute_port_last", ports.last});
  run_ok({program, "--repo", place, "config", "compute_port_first", ports.first});
  run_ok({program, "--repo", place, "start"});
  const std::string status = run_ok({program, "--repo", place, "status"});
  EXPECT_NE(status.find("the node runs"), std::string::npos);
  run_ok({program, "--repo", place, "pg", "create", "main", "--start"});
  EXPECT_EQ(run_ok({program, "--repo", place, "pg", "psql", "main", "--", "-Atc", "select 1"}),
            "1\n");
  run_ok({program, "--repo", place, "stop"});
}

}  // namespace
}  // namespace zenith::testing
