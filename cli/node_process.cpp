// The node as a process.
#include "cli/node_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "cli/subprocess.hpp"
#include "storage/io/file_lock.hpp"
#include "storage/repository/node_file.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

struct owned_descriptor {
  int value = -1;
  explicit owned_descriptor(int opened) : value(opened) {}
  ~owned_descriptor() { close_it(); }
  owned_descriptor(const owned_descriptor&) = delete;
  owned_descriptor& operator=(const owned_descriptor&) = delete;
  void close_it() {
    if (value >= 0) close(value);
    value = -1;
  }
};

tl::unexpected<error> failed(const std::string& what) {
  return fail(errc::io, what + ": " + std::strerror(errno));
}

// In the child: becomes the daemon, or ends with its reason in the log. The program is run by its
// descriptor: root may have found it in a folder that the repository's owner cannot enter.
[[noreturn]] void become_daemon(int program, const fs::path& repository, int log, int ready) {
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  setsid();
  umask(0077);
  signal(SIGPIPE, SIG_DFL);
  forget_postgres_environment();
  if (chdir("/") != 0) _exit(1);
  const std::string ready_text = std::to_string(dup(ready));  // not closed by exec
  std::string name = "zenithd";
  std::string place = repository.string();
  std::string option = "--ready-fd";
  std::string number = ready_text;
  char* arguments[] = {name.data(), place.data(), option.data(), number.data(), nullptr};
  fexecve(program, arguments, environ);
  const std::string line = fmt::format("zenithd: cannot be run: {}\n", std::strerror(errno));
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
  _exit(127);
}

// Whether the byte came before the other end was closed; none when the time is over.
std::optional<bool> wait_for_byte(int from, std::chrono::milliseconds timeout) {
  const auto deadline = clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd polled{from, POLLIN, 0};
    if (poll(&polled, 1, static_cast<int>(left)) <= 0) continue;
    char byte = 0;
    const ssize_t got = read(from, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    return got == 1;
  }
}

std::string text_from(const fs::path& name, std::streamoff offset) {
  std::ifstream in(name, std::ios::binary);
  in.seekg(offset);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

fs::path program_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

result<std::optional<int>> running_node(const fs::path& repository) {
  return file_lock::holder_of(repository / repository::lock_file_name);
}

result<int> start_node(const fs::path& repository, std::chrono::milliseconds timeout) {
  ZENITH_TRY_ASSIGN(const auto running, running_node(repository));
  if (running)
    return fail(errc::conflict,
                fmt::format("a node (pid {}) runs on {} already", *running, repository.string()));
  const fs::path program = program_folder() / "zenithd";
  const owned_descriptor opened{open(program.c_str(), O_RDONLY | O_CLOEXEC)};
  if (opened.value < 0) return failed("cannot open the node's program " + program.string());
  std::error_code failure;
  fs::create_directories(repository / "log", failure);
  const fs::path log_name = repository / "log" / "zenithd.out";
  const owned_descriptor log{
      open(log_name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  if (log.value < 0) return failed("cannot open " + log_name.string());
  const off_t before = lseek(log.value, 0, SEEK_END);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("cannot make a pipe");
  const owned_descriptor ready{ends[0]};
  owned_descriptor child_end{ends[1]};
  const pid_t child = fork();
  if (child < 0) return failed("cannot fork");
  if (child == 0) become_daemon(opened.value, repository, log.value, child_end.value);
  child_end.close_it();

  const auto came = wait_for_byte(ready.value, timeout);
  if (came && *came) return child;
  if (!came) {
    kill(child, SIGTERM);
    return fail(errc::unavailable,
                fmt::format("the node did not serve within {} s and was told to end; see {}",
                            timeout.count() / 1000, (repository / "log").string()));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string reason = last_line(text_from(log_name, before));
  constexpr std::string_view prefix = "zenithd: ";
  if (reason.starts_with(prefix)) reason.erase(0, prefix.size());
  if (reason.empty()) reason = "it ended without a word; see " + (repository / "log").string();
  return fail(errc::unavailable, "the node did not start: " + reason);
}

result<void> wait_for_end(const fs::path& repository, std::chrono::milliseconds timeout) {
  const auto deadline = clock::now() + timeout;
  for (;;) {
    ZENITH_TRY_ASSIGN(const auto running, running_node(repository));
    if (!running) return {};
    if (clock::now() > deadline)
      return fail(
          errc::unavailable,
          fmt::format("the node (pid {}) was told to stop, and still runs after {} s; see {}",
                      *running, timeout.count() / 1000, (repository / "log").string()));
    constexpr int pause_ms = 5;
    poll(nullptr, 0, pause_ms);
  }
}

}  // namespace zenith::cli
