// zenith init: a new repository from a fresh cluster.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "cli/clock.hpp"
#include "cli/commands.hpp"
#include "cli/owner.hpp"
#include "cli/progress.hpp"
#include "cli/subprocess.hpp"
#include "storage/io/file_lock.hpp"
#include "storage/repository/import_cluster.hpp"
#include "storage/repository/node_file.hpp"
#include "storage/repository/secret.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

// The settings of a new repository: those that were given, all others at their defaults.
result<config::settings> settings_of(const command_line& line) {
  config::settings settings;
  const char* from_environment = std::getenv("ZENITH_PG_BIN");
  std::string pg_bin = line.pg_bin;
  if (pg_bin.empty() && from_environment != nullptr) pg_bin = from_environment;
  if (!pg_bin.empty())
    ZENITH_TRY(settings.set("pg_bin", fs::absolute(pg_bin).lexically_normal().string()));
  return settings;
}

// The programs have to be of the version whose formats the storage knows.
result<void> check_postgres(const fs::path& folder) {
  for (const char* program : {"postgres", "initdb"}) {
    auto ran = run_program({(folder / program).string(), "--version"});
    if (!ran)
      return fail(ran.error().code,
                  ran.error().message + "; --pg-bin names the folder of PostgreSQL 15's programs");
    const std::string said = last_line(ran->output);
    // "postgres (PostgreSQL) 15.20 (Debian ...)"
    const size_t at = said.find("(PostgreSQL) ");
    const std::string version = at == std::string::npos ? "" : said.substr(at + 13);
    if (ran->exit_code != 0 || !(version == "15" || version.starts_with("15.")))
      return fail(
          errc::unsupported,
          fmt::format("not PostgreSQL 15: {} says '{}'; --pg-bin names the folder of "
                      "PostgreSQL 15's programs",
                      (folder / program).string(), said.empty() ? last_line(ran->errors) : said));
  }
  return {};
}

result<void> make_cluster(const command_line& line, const fs::path& pg_bin, const fs::path& data) {
  std::vector<std::string> command{
      (pg_bin / "initdb").string(), "--pgdata=" + data.string(),
      "--username=postgres",        "--auth-local=trust",
      "--auth-host=scram-sha-256",  "--encoding=UTF8",
      "--locale=C.UTF-8",           "--no-sync",
      "--no-instructions",          "--wal-segsize=" + std::to_string(line.wal_segment_mb)};
  if (line.data_checksums) command.push_back("--data-checksums");
  ZENITH_TRY_ASSIGN(const auto ran, run_program(command));
  if (ran.exit_code == 0) return {};
  return fail(errc::io,
              "initdb failed: " + last_line(ran.errors.empty() ? ran.output : ran.errors));
}

// All of it, as the repository's owner; the folder is there and empty. Its lock, which the node
// will take, says meanwhile that somebody is at work here.
result<void> make_repository(const command_line& line, const fs::path& folder,
                             const config::settings& settings) {
  ZENITH_TRY_ASSIGN(const auto lock, file_lock::try_lock(folder / repository::lock_file_name));
  const fs::path pg_bin = settings.text("pg_bin");
  ZENITH_TRY(check_postgres(pg_bin));
  const fs::path cluster = folder / "initdb";
  show_progress("making a cluster");
  ZENITH_TRY(make_cluster(line, pg_bin, cluster));
  file_system& files = posix_file_system();
  ZENITH_TRY_ASSIGN(auto made, repository::repository::create(files, folder, settings.to_json()));
  ZENITH_TRY(repository::write_new_secret(files, folder / repository::secret_file_name));
  show_progress("reading the cluster");
  ZENITH_TRY(repository::import_cluster(files, made, cluster, "main",
                                        static_cast<int>(settings.count("image_compression_level")),
                                        now()));
  return files.remove_all(cluster);
}

result<answer> describe(const fs::path& folder) {
  ZENITH_TRY_ASSIGN(const auto made, repository::repository::open(posix_file_system(), folder));
  ZENITH_TRY_ASSIGN(const auto branch, made.branch("main"));
  ZENITH_TRY_ASSIGN(const auto timeline, made.timeline(branch.timeline));
  const std::string start = to_string(timeline.start);
  return answer{json::object({{"repository", folder.string()},
                              {"branch", "main"},
                              {"timeline", to_string(timeline.id)},
                              {"system_identifier", to_string(timeline.system)},
                              {"lsn", start}}),
                fmt::format("made the repository {}\nbranch main at {}, timeline {}\n"
                            "next: zenith start\n",
                            folder.string(), start, to_string(timeline.id))};
}

// Runs it in a child process and waits, so that this one keeps its rights and outlives a kill: what
// is left of a failure can be removed. Ctrl-C ends the child alone.
result<void> run_in_child(const std::function<result<void>()>& work) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(errc::io, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const auto before_interrupt = signal(SIGINT, SIG_IGN);
  const auto before_end = signal(SIGTERM, SIG_IGN);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    const auto done = work();
    if (done) _exit(0);
    const std::string& message = done.error().message;
    [[maybe_unused]] const auto written = write(ends[1], message.data(), message.size());
    _exit(static_cast<int>(done.error().code));
  }
  close(ends[1]);
  std::string message;
  char piece[4096];
  for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) != 0;) {
    if (got > 0) message.append(piece, static_cast<size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  close(ends[0]);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  signal(SIGINT, before_interrupt);
  signal(SIGTERM, before_end);
  if (child < 0) return fail(errc::io, "cannot fork");
  if (WIFSIGNALED(status))
    return fail(errc::io, fmt::format("interrupted by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) == 0) return {};
  return fail(static_cast<errc>(WEXITSTATUS(status)), message);
}

// The folders from `place` up that do not exist yet, the lowest first.
std::vector<fs::path> missing_folders(fs::path place) {
  std::vector<fs::path> missing;
  std::error_code ignored;
  while (!fs::exists(place, ignored)) {
    missing.push_back(place);
    place = place.parent_path();
  }
  return missing;
}

result<void> make_folder(const fs::path& folder, mode_t mode, const std::optional<user>& owner) {
  if (mkdir(folder.c_str(), mode) != 0)
    return fail(errc::io, fmt::format("cannot make {}: {}", folder.string(), std::strerror(errno)));
  if (owner && chown(folder.c_str(), owner->id, owner->group) != 0)
    return fail(errc::io, fmt::format("cannot give {} to user {}: {}", folder.string(), owner->name,
                                      std::strerror(errno)));
  return {};
}

// The repository gets its name when it is whole. Until then it lies beside it, so that a kill or a
// power cut leaves nothing that looks like one.
fs::path unfinished(const fs::path& folder) { return folder.string() + ".new"; }

// What an init that was cut off has left.
result<void> remove_unfinished(const fs::path& building) {
  ZENITH_TRY_ASSIGN(const auto at_work,
                    file_lock::holder_of(building / repository::lock_file_name));
  if (at_work)
    return fail(errc::conflict, fmt::format("another zenith init (pid {}) is at work in {}",
                                            *at_work, building.string()));
  std::error_code failure;
  fs::remove_all(building, failure);
  if (!failure) return {};
  return fail(errc::io, fmt::format("cannot remove {}, which an earlier init has left: {}",
                                    building.string(), failure.message()));
}

result<void> give_name(const fs::path& building, const fs::path& folder) {
  file_system& files = posix_file_system();
  ZENITH_TRY(files.rename(building, folder));
  return files.sync_directory(folder.parent_path());
}

}  // namespace

result<answer> run_init(const command_line& line) {
  if (!line.conninfo.empty())
    return fail(errc::unsupported, "init --import comes in a later version");
  ZENITH_TRY_ASSIGN(const config::settings settings, settings_of(line));
  const fs::path folder = new_repository(line);
  std::error_code ignored;
  if (fs::exists(folder, ignored))
    return fail(errc::already_exists, "there is a repository already: " + folder.string());
  const std::vector<fs::path> missing = missing_folders(folder.parent_path());
  std::optional<user> owner;
  if (geteuid() == 0) {
    ZENITH_TRY_ASSIGN(owner, find_user(settings.text("user")));
    const fs::path closed = first_unreachable(
        missing.empty() ? folder.parent_path() : missing.back().parent_path(), *owner);
    if (!closed.empty())
      return fail(
          errc::conflict,
          fmt::format("user {}, to whom the repository will belong, cannot enter {}; choose "
                      "another place with --repo, or: chmod o+x {}",
                      owner->name, closed.string(), closed.string()));
  }
  const fs::path building = unfinished(folder);
  ZENITH_TRY(remove_unfinished(building));
  const auto make_all = [&]() -> result<void> {
    for (auto one = missing.rbegin(); one != missing.rend(); ++one)
      ZENITH_TRY(make_folder(*one, 0755, owner));
    ZENITH_TRY(make_folder(building, 0700, owner));
    ZENITH_TRY(run_in_child([&]() -> result<void> {
      if (owner) ZENITH_TRY(become(*owner));
      // PostgreSQL's programs come back to where they were, which this user may not enter.
      if (chdir("/") != 0) return fail(errc::io, "cannot enter /");
      umask(0077);
      return make_repository(line, building, settings);
    }));
    return give_name(building, folder);
  };
  if (const auto made = make_all(); !made) {
    fs::remove_all(building, ignored);
    for (const fs::path& one : missing)
      fs::remove(one, ignored);  // only where nobody has put anything there meanwhile
    return tl::unexpected<error>(made.error());
  }
  return describe(folder);
}

}  // namespace zenith::cli
