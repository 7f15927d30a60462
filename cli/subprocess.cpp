// Runs another program to its end.
#include "cli/subprocess.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace zenith::cli {
namespace {

// A pipe of which the child gets one end.
struct pipe_ends {
  int read_end = -1;
  int write_end = -1;
  pipe_ends() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    read_end = ends[0];
    write_end = ends[1];
  }
  ~pipe_ends() {
    if (read_end >= 0) close(read_end);
    close_write_end();
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  void close_write_end() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

[[noreturn]] void exec_in_child(const std::vector<std::string>& argv, int out, int err) {
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  forget_postgres_environment();
  std::vector<char*> arguments;
  for (const std::string& one : argv) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void read_all(pipe_ends& out, pipe_ends& err, finished_program& into) {
  pollfd polled[2] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
  std::string* texts[2] = {&into.output, &into.errors};
  for (int left = 2; left > 0;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR) return;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      char piece[4096];
      const ssize_t got = read(polled[i].fd, piece, sizeof piece);
      if (got > 0) {
        texts[i]->append(piece, static_cast<size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        polled[i].fd = -1;
        --left;
      }
    }
  }
}

}  // namespace

result<finished_program> run_program(const std::vector<std::string>& argv) {
  if (access(argv[0].c_str(), X_OK) != 0)
    return fail(errc::not_found, fmt::format("cannot run {}: {}", argv[0], std::strerror(errno)));
  pipe_ends out;
  pipe_ends err;
  if (out.read_end < 0 || err.read_end < 0)
    return fail(errc::io, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) return fail(errc::io, fmt::format("cannot fork: {}", std::strerror(errno)));
  if (child == 0) exec_in_child(argv, out.write_end, err.write_end);
  out.close_write_end();
  err.close_write_end();
  finished_program finished;
  read_all(out, err, finished);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  finished.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return finished;
}

void forget_postgres_environment() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (text.starts_with("PG")) names.push_back(text.substr(0, text.find('=')));
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of("\n\r ");
  if (end == std::string::npos) return "";
  const size_t before = text.rfind('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end + 1 - begin);
}

}  // namespace zenith::cli
