// Running PostgreSQL's programs.
#include "actors/processes.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

extern char** environ;

namespace zenith::actors {
namespace {

constexpr size_t output_kept_bytes = 64 * 1024;

}  // namespace

result<finished_program> run_program(const std::vector<std::string>& argv) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0)
    return fail(errc::io, std::string("cannot make a pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  // The node blocks the signals that its main thread waits for; a program starts with none blocked.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> arguments;
  for (const std::string& a : argv) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure =
      posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(pipe_ends[1]);
  if (failure != 0) {
    close(pipe_ends[0]);
    return fail(errc::io, "cannot run " + argv[0] + ": " + std::strerror(failure));
  }
  finished_program finished;
  char piece[4096];
  for (;;) {
    const ssize_t got = read(pipe_ends[0], piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    finished.output.append(piece, static_cast<size_t>(got));
    if (finished.output.size() > 2 * output_kept_bytes)
      finished.output.erase(0, finished.output.size() - output_kept_bytes);
  }
  close(pipe_ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  finished.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return finished;
}

std::optional<pid_t> running_server(const std::filesystem::path& data_directory) {
  std::ifstream in(data_directory / "postmaster.pid");
  long pid = 0;
  if (!(in >> pid) || pid <= 1 || kill(static_cast<pid_t>(pid), 0) != 0) return std::nullopt;
  // The number may belong to another program by now; a server works inside its data directory.
  std::error_code failure;
  const auto process = std::filesystem::path("/proc") / std::to_string(pid);
  const auto works_in = std::filesystem::read_symlink(process / "cwd", failure);
  if (failure || works_in != std::filesystem::weakly_canonical(data_directory, failure) || failure)
    return std::nullopt;
  // A process that has ended and is not yet waited for is gone.
  std::ifstream stat(process / "stat");
  std::string text;
  std::getline(stat, text);
  const size_t after_name = text.rfind(") ");
  if (after_name != std::string::npos && text.substr(after_name + 2, 1) == "Z") return std::nullopt;
  return static_cast<pid_t>(pid);
}

bool port_is_free(uint16_t port) {
  const int tried = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (tried < 0) return false;
  const int on = 1;
  setsockopt(tried, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(tried, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(tried);
  return free;
}

std::string log_tail(const std::filesystem::path& log) {
  std::ifstream in(log);
  std::string line;
  std::string last;
  std::string fatal;
  while (std::getline(in, line)) {
    if (line.find("FATAL") != std::string::npos || line.find("PANIC") != std::string::npos)
      fatal = line;
    if (!line.empty()) last = line;
  }
  return fatal.empty() ? last : fatal;
}

}  // namespace zenith::actors
