// Commands that come at once, and commands that were killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "tests/support/zenith_repository.hpp"

namespace zenith::testing {
namespace {

TEST(at_once, one_of_many_that_ask_at_once_gets_the_branch_for_its_server) {
  const zenith_repository repository;
  repository.init_and_start();
  constexpr size_t askers = 6;
  for (const std::string branch : {"one", "two", "three"}) {
    repository.run_ok({"branch", branch});
    std::vector<int> exits(askers);
    std::vector<std::thread> all;
    for (size_t i = 0; i < askers; ++i)
      all.emplace_back([&, i] {
        exits[i] = repository.run({"pg", "create", branch + std::to_string(i), branch}).exit_code;
      });
    for (std::thread& one : all) one.join();
    EXPECT_EQ(std::count(exits.begin(), exits.end(), 0), 1) << branch;
  }
  const auto list = repository.run_ok({"pg", "list"});
  std::set<int> ports;
  for (const auto& one : list) ports.insert(one["port"].get<int>());
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(ports.size(), 3u);
}

TEST(at_once, an_init_that_was_killed_is_not_in_the_way_of_the_next_one) {
  const zenith_repository repository;
  const std::string place = repository.directory().string();
  const std::string program = zenith_program();
  const pid_t first = fork();
  ASSERT_GE(first, 0);
  if (first == 0) {
    execl(program.c_str(), "zenith", "--repo", place.c_str(), "init", nullptr);
    _exit(127);
  }
  const auto unfinished = repository.directory() / ".zenith.new";
  EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(unfinished / "config.json"); }));
  kill(first, SIGKILL);
  waitpid(first, nullptr, 0);
  // The child that does the work may be at it still, and has to be waited for.
  EXPECT_TRUE(wait_until([&] { return repository.run({"init"}).exit_code == 0; }));
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  repository.run_ok({"start"});
  EXPECT_EQ(repository.run_ok({"branch"}).size(), 1u);
}

}  // namespace
}  // namespace zenith::testing
