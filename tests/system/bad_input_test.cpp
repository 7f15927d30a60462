// What a person is told who asks for what cannot be: code 1, one line, nothing changed.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/support/postgres_server.hpp"
#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;
using words = std::vector<std::string>;

// Exit code, no output, and one line on standard error that holds each of the parts.
void expect_refusal(const zenith_result& result, const words& parts, int exit_code = 1) {
  EXPECT_EQ(result.exit_code, exit_code) << result.output << result.errors;
  EXPECT_EQ(result.output, "");
  EXPECT_TRUE(result.errors.starts_with("zenith: ")) << result.errors;
  EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1) << result.errors;
  for (const std::string& part : parts)
    EXPECT_NE(result.errors.find(part), std::string::npos) << part << " in: " << result.errors;
}

// A folder with programs that claim to be PostgreSQL's; `initdb` does what it is told.
fs::path fake_programs(const fs::path& folder, const std::string& version,
                       const std::string& initdb) {
  fs::create_directories(folder);
  for (const std::string name : {"postgres", "initdb"}) {
    std::ofstream(folder / name) << "#!/bin/sh\n[ \"$1\" = --version ] && echo \"" << name
                                 << " (PostgreSQL) " << version << "\" && exit 0\n"
                                 << initdb << "\n";
    fs::permissions(folder / name, fs::perms(0755));
  }
  give_to_database_user(folder);
  return folder;
}

TEST(bad_input, names_that_are_unknown_taken_or_no_names) {
  const zenith_repository repository;
  repository.init_and_start();
  const auto refused = [&](const words& arguments, const words& parts) {
    expect_refusal(repository.run(arguments), parts);
  };
  refused({"branch", "new", "nowhere"}, {"'nowhere'"});
  refused({"branch", "--delete", "nowhere"}, {"'nowhere'"});
  refused({"branch", "--rename", "nowhere", "new"}, {"'nowhere'"});
  refused({"tag", "--delete", "nowhere"}, {"'nowhere'"});
  refused({"lsn", "nowhere"}, {"'nowhere'"});
  refused({"pg", "start", "nowhere"}, {"nowhere"});
  refused({"pg", "psql", "nowhere"}, {"nowhere"});
  refused({"branch", "main"}, {"'main'", "already"});
  refused({"tag", "main"}, {"'main'", "already"});
  refused({"branch", "main/x"}, {"'main/x'", "'main'"});
  for (const char* name :
       {"a//b", "a/", "../a", "a b", "0/1234", "_a", "0123456789abcdef0123456789abcdef", "a/./b"}) {
    refused({"branch", name, "main"}, {"'" + std::string(name) + "'"});
    refused({"tag", name, "main"}, {"'" + std::string(name) + "'"});
  }
  refused({"pg", "create", "a/b", "main"}, {"a/b"});
  EXPECT_EQ(repository.run_ok({"branch"}).size(), 1u);
  EXPECT_EQ(repository.run_ok({"tag"}).size(), 0u);
  EXPECT_EQ(repository.run_ok({"pg", "list"}).size(), 0u);
}

TEST(bad_input, points_outside_the_history) {
  const zenith_repository repository;
  const auto made = repository.init({{"page_request_timeout", "200ms"}});
  repository.run_ok({"start"});
  const std::string start = made["lsn"];
  const auto refused = [&](const std::string& point, const words& parts) {
    expect_refusal(repository.run({"branch", "new", point}), parts);
    expect_refusal(repository.run({"lsn", point}), parts);
  };
  refused("main@FF/0", {"FF/0", start});
  refused("main@0/28", {"0/28", "before the history", start});
  refused("main@2020-01-01T00:00:00Z", {"before the history"});
  refused("main@2999-01-01T00:00:00Z", {"future"});
  refused("main@yesterday", {"yesterday"});
  refused("main@0/0", {"0/0"});
  refused("@0/28", {});
  // A server that runs knows how far it has written.
  repository.run_ok({"pg", "create", "main", "--start"});
  refused("main@FF/0", {"FF/0", "future"});
  EXPECT_EQ(repository.run_ok({"branch"}).size(), 1u);
}

TEST(bad_input, programs_of_another_version_make_no_repository) {
  const zenith_repository repository;
  const fs::path old = fake_programs(repository.scratch() / "old", "14.9", "exit 1");
  expect_refusal(repository.run({"init", "--pg-bin", old.string()}),
                 {"not PostgreSQL 15", "14.9", old.string(), "--pg-bin"});
  const fs::path failing =
      fake_programs(repository.scratch() / "failing", "15.4", "echo 'no space here' >&2; exit 1");
  expect_refusal(repository.run({"init", "--pg-bin", failing.string()}), {"no space here"});
  expect_refusal(repository.run({"init", "--pg-bin", "/nonexistent"}),
                 {"/nonexistent/postgres", "--pg-bin"});
  EXPECT_FALSE(fs::exists(repository.directory()));
}

TEST(bad_input, what_comes_in_a_later_version_says_so) {
  const zenith_repository repository;
  expect_refusal(repository.run({"init", "--import", "host=x"}), {"later version"});
  EXPECT_FALSE(fs::exists(repository.directory()));
  repository.run_ok({"init"});
  expect_refusal(repository.run({"import", "a", "--from", "host=x"}), {"later version"});
}

TEST(bad_input, a_place_that_the_database_user_cannot_reach) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has another user's repository";
  const zenith_repository repository;
  const fs::path closed = repository.scratch() / "closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0700), 0);
  const auto refused =
      run({zenith_program(), "--repo", (closed / "a" / "b").string(), "init"}, run_as::myself);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("cannot enter " + closed.string()), std::string::npos)
      << refused.errors;
  EXPECT_NE(refused.errors.find("chmod"), std::string::npos);
  EXPECT_TRUE(fs::is_empty(closed));
}

TEST(bad_input, a_repository_where_one_is_and_none_where_none_is) {
  const zenith_repository repository;
  expect_refusal(repository.run({"status"}), {repository.directory().string(), "init"});
  repository.run_ok({"init"});
  expect_refusal(repository.run({"init"}), {"already", repository.zenith_directory().string()});
}

TEST(bad_input, a_second_node_on_the_same_repository) {
  const zenith_repository repository;
  repository.init_and_start();
  const std::string pid = std::to_string(repository.node_process());
  expect_refusal(repository.run({"start"}), {"pid " + pid, "already"});
  // The node itself refuses as well, whoever starts it.
  const auto second = run({(fs::path(zenith_program()).parent_path() / "zenithd").string(),
                           repository.zenith_directory().string()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.errors.find(pid), std::string::npos) << second.errors;
  EXPECT_EQ(repository.run_ok({"status"})["pid"], repository.node_process());
}

TEST(bad_input, without_a_node_each_command_that_needs_it_names_start) {
  const zenith_repository repository;
  repository.run_ok({"init"});
  for (const words& arguments : std::vector<words>{{"stop"},
                                                   {"branch"},
                                                   {"branch", "a"},
                                                   {"tag"},
                                                   {"lsn", "main"},
                                                   {"pg", "list"},
                                                   {"pg", "create", "a"},
                                                   {"pg", "psql", "a"},
                                                   {"page", "main", "1/2/3", "main", "0"},
                                                   {"verify", "main", "/nonexistent"}})
    expect_refusal(repository.run(arguments), {"no node runs", "zenith start"});
  // So does one that was killed.
  repository.run_ok({"start"});
  repository.kill_node();
  expect_refusal(repository.run({"branch"}), {"no node runs", "zenith start"});
  EXPECT_EQ(repository.run_ok({"status"})["running"], false);
  repository.run_ok({"start"});
}

TEST(bad_input, a_port_in_use) {
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(taken, 1), 0);
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));

  const zenith_repository repository;
  repository.init_and_start();
  expect_refusal(repository.run({"pg", "create", "main", "--port", port, "--start"}),
                 {port, "use"});
  close(taken);
}

TEST(bad_input, a_data_directory_that_cannot_be_compared) {
  const zenith_repository repository;
  repository.init_and_start();
  postgres_server stranger(repository.scratch(), postgres_server::options{});
  expect_refusal(repository.run({"verify", "main", stranger.data().string()}),
                 {stranger.data().string()}, 2);
  expect_refusal(repository.run({"verify", "main", "/nonexistent"}), {"/nonexistent"});
}

TEST(bad_input, an_export_into_what_is_not_empty) {
  const zenith_repository repository;
  repository.init_and_start();
  const fs::path target = repository.scratch() / "full";
  fs::create_directory(target);
  std::ofstream(target / "mine") << "x";
  give_to_database_user(target);
  expect_refusal(repository.run({"export", "main", target.string()}),
                 {target.string(), "not empty"});
  expect_refusal(repository.run({"export", "main", (target / "mine").string()}), {"directory"});
  EXPECT_TRUE(fs::exists(target / "mine"));
  // What fails later leaves nothing either.
  const fs::path never = repository.scratch() / "never";
  expect_refusal(repository.run({"export", "nowhere", never.string()}), {"'nowhere'"});
  EXPECT_FALSE(fs::exists(never));
}

TEST(bad_input, wrong_usage_is_code_2) {
  const zenith_repository repository;
  expect_refusal(repository.run({"brnch"}), {"'brnch'", "'branch'"}, 2);
  expect_refusal(repository.run({"pg", "start"}), {"NAME"}, 2);
  expect_refusal(repository.run({"branch", ""}), {"NAME", "empty"}, 2);
  expect_refusal(repository.run({"branch", "a", ""}), {"POINT", "empty"}, 2);
  expect_refusal(repository.run({"status", "--nonsense"}), {"--nonsense"}, 2);
}

}  // namespace
}  // namespace zenith::testing
