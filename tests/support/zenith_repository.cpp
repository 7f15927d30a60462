// A repository made and used by the real programs.
#include "tests/support/zenith_repository.hpp"

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "storage/io/file_lock.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

std::string contents_of(const fs::path& name) {
  std::ifstream in(name, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool is_gone(pid_t process) { return ::kill(process, 0) != 0; }

// The postmaster that runs on a data directory: its pid file may be an old one, so the process has
// to be in there as well.
pid_t postmaster_of(const fs::path& data) {
  std::ifstream in(data / "postmaster.pid");
  pid_t process = 0;
  if (!(in >> process) || process <= 1) return 0;
  std::error_code failure;
  const fs::path cwd = fs::read_symlink("/proc/" + std::to_string(process) + "/cwd", failure);
  return !failure && cwd == data ? process : 0;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += " " + word;
  return text;
}

}  // namespace

std::string zenith_program() { return ZENITH_PROGRAM; }

compute_ports own_compute_ports() {
  constexpr int ports_each = 50;
  const int first = 20000 + getpid() % 500 * ports_each;
  return {std::to_string(first), std::to_string(first + ports_each - 1)};
}

zenith_repository::zenith_repository() : directory_(scratch_ / "repository") {}

zenith_repository::~zenith_repository() {
  try {
    kill_node();
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(zenith_directory() / "computes", failure)) {
      const pid_t process = postmaster_of(entry.path() / "pgdata");
      if (process == 0) continue;
      ::kill(process, SIGQUIT);
      wait_until([&] { return is_gone(process); });
    }
  } catch (const std::exception&) {
    // The test has said by now what went wrong.
  }
}

zenith_result zenith_repository::run_as_typed(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{zenith_program(), "--repo", directory_.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command_result ran = testing::run(command, run_as::myself);
  zenith_result result;
  result.exit_code = ran.exit_code;
  result.json = nlohmann::json::parse(ran.output, nullptr, /*allow_exceptions=*/false);
  result.output = std::move(ran.output);
  result.errors = std::move(ran.errors);
  return result;
}

zenith_result zenith_repository::run(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{"--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_as_typed(all);
}

zenith_result zenith_repository::run_text(const std::vector<std::string>& arguments) const {
  return run_as_typed(arguments);
}

nlohmann::json zenith_repository::run_ok(const std::vector<std::string>& arguments) const {
  zenith_result result = run(arguments);
  if (result.exit_code != 0 || result.json.is_discarded())
    throw std::runtime_error("zenith" + joined(arguments) + " exited with " +
                             std::to_string(result.exit_code) + "\n" + result.output +
                             result.errors + node_log());
  return std::move(result.json);
}

nlohmann::json zenith_repository::init(
    const std::vector<std::pair<std::string, std::string>>& settings,
    const std::vector<std::string>& init_arguments) const {
  std::vector<std::string> command{"init"};
  command.insert(command.end(), init_arguments.begin(), init_arguments.end());
  nlohmann::json made = run_ok(command);
  const compute_ports ports = own_compute_ports();
  run_ok({"config", "compute_port_last", ports.last});
  run_ok({"config", "compute_port_first", ports.first});
  for (const auto& [key, value] : settings) run_ok({"config", key, value});
  return made;
}

void zenith_repository::init_and_start(const std::vector<std::string>& init_arguments) const {
  init({}, init_arguments);
  run_ok({"start"});
}

fs::path zenith_repository::wal_directory(const std::string& branch) const {
  for (const auto& one : run_ok({"branch"}))
    if (one["name"] == branch)
      return zenith_directory() / "timelines" / one["timeline"].get<std::string>() / "wal";
  throw std::runtime_error("there is no branch " + branch);
}

lsn zenith_repository::lsn_of(const std::string& point) const {
  return *parse_lsn(run_ok({"lsn", point})["lsn"].get<std::string>());
}

std::string zenith_repository::conninfo(const std::string& server) const {
  for (const auto& one : run_ok({"pg", "list"}))
    if (one["name"] == server) return one["uri"];
  throw std::runtime_error("there is no server " + server);
}

pid_t zenith_repository::node_process() const {
  const auto holder = file_lock::holder_of(zenith_directory() / "lock");
  return holder && *holder ? **holder : 0;
}

void zenith_repository::kill_node() const {
  const pid_t process = node_process();
  if (process <= 1) return;
  ::kill(process, SIGKILL);
  if (!wait_until([&] { return node_process() == 0; }))
    throw std::runtime_error("the killed node still holds " + zenith_directory().string());
}

pid_t zenith_repository::server_process(const std::string& server) const {
  return postmaster_of(zenith_directory() / "computes" / server / "pgdata");
}

std::string zenith_repository::node_log() const {
  return contents_of(zenith_directory() / "log" / "zenithd.log");
}

}  // namespace zenith::testing
