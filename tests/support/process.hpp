// Running programs in tests: as the database user where we are root, ended with the test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace zenith::testing {

/// A directory of one test's own that the database user can use; removed with all in it at the end.
class temporary_directory {
 public:
  temporary_directory();
  ~temporary_directory();
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Gives a file or directory, with all in it, to the database user (nothing to do unless root).
void give_to_database_user(const std::filesystem::path& what);

struct command_result {
  int exit_code = -1;  ///< 128 + signal where one ended it
  std::string output;
  std::string errors;
};

enum class run_as { database_user, myself };

/// Runs a program to its end and gives what it wrote. argv[0] is searched for in PATH.
command_result run(const std::vector<std::string>& argv, run_as who = run_as::database_user);
/// The same, and fails the test (by an exception) unless it exits with 0; gives standard output.
std::string run_ok(const std::vector<std::string>& argv, run_as who = run_as::database_user);

/// Starts a program that goes on; it is sent SIGQUIT when the test's process ends, however it does.
/// Standard output and error go to the file.
pid_t start(const std::vector<std::string>& argv, const std::filesystem::path& log,
            run_as who = run_as::database_user);
/// Waits for the end of what start() gave; its exit code as in command_result.
int wait_for_exit(pid_t process);

/// Calls the condition every few milliseconds until it holds (true) or the time is over (false).
template <class Condition>
bool wait_until(Condition condition, int timeout_ms = 60'000);

void pause_briefly();
long long now_ms();

template <class Condition>
bool wait_until(Condition condition, int timeout_ms) {
  const long long deadline = now_ms() + timeout_ms;
  while (!condition()) {
    if (now_ms() > deadline) return false;
    pause_briefly();
  }
  return true;
}

}  // namespace zenith::testing
