// Running programs in tests.
#include "tests/support/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

const passwd* database_user() {
  if (geteuid() != 0) return nullptr;
  static const passwd* user = getpwnam("postgres");
  if (user == nullptr) throw std::runtime_error("no user named postgres on this machine");
  return user;
}

// In the child between fork and exec; ends the child where anything fails.
[[noreturn]] void become(const std::vector<std::string>& argv, run_as who, int out, int err) {
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  if (who == run_as::database_user && geteuid() == 0) {
    const passwd* user = database_user();
    if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
      _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string joined(const std::vector<std::string>& argv) {
  std::string text;
  for (const std::string& a : argv) text += (text.empty() ? "" : " ") + a;
  return text;
}

}  // namespace

temporary_directory::temporary_directory() {
  std::string name = (fs::temp_directory_path() / "zenith-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw std::runtime_error("cannot make a temporary directory: " + std::string(strerror(errno)));
  path_ = name;
  give_to_database_user(path_);
}

temporary_directory::~temporary_directory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void give_to_database_user(const fs::path& what) {
  const passwd* user = database_user();
  if (user == nullptr) return;
  const auto give = [&](const fs::path& one) {
    if (lchown(one.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("cannot chown " + one.string());
  };
  give(what);
  if (!fs::is_directory(what)) return;
  for (const auto& entry : fs::recursive_directory_iterator(what)) give(entry.path());
}

command_result run(const std::vector<std::string>& argv, run_as who) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    throw std::runtime_error("cannot make a pipe");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(argv, who, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  command_result result;
  pollfd polled[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  std::string* into[2] = {&result.output, &result.errors};
  for (int open_ends = 2; open_ends > 0;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      char piece[65536];
      const ssize_t got = read(polled[i].fd, piece, sizeof piece);
      if (got > 0) {
        into[i]->append(piece, static_cast<size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        polled[i].fd = -1;
        --open_ends;
      }
    }
  }
  close(out[0]);
  close(err[0]);
  result.exit_code = wait_for_exit(child);
  return result;
}

std::string run_ok(const std::vector<std::string>& argv, run_as who) {
  command_result result = run(argv, who);
  if (result.exit_code != 0)
    throw std::runtime_error(joined(argv) + " exited with " + std::to_string(result.exit_code) +
                             "\n" + result.output + result.errors);
  return std::move(result.output);
}

pid_t start(const std::vector<std::string>& argv, const fs::path& log, run_as who) {
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) throw std::runtime_error("cannot open " + log.string());
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become(argv, who, out, out);
  close(out);
  return child;
}

int wait_for_exit(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return exit_code_of(status);
}

void pause_briefly() { poll(nullptr, 0, 5); }

long long now_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace zenith::testing
