// A repository made and used by the real programs, gone with the test whatever happened.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/lsn.hpp"
#include "tests/support/process.hpp"

namespace zenith::testing {

/// What one run of `zenith` gave.
struct zenith_result {
  int exit_code = -1;
  std::string output;
  std::string errors;
  nlohmann::json json;  ///< of the output; discarded where it is not exactly one JSON value
};

/// The full path of the program under test.
std::string zenith_program();

/// Compute ports for this test's process: others that run at the same time do not choose them.
struct compute_ports {
  std::string first;
  std::string last;
};
compute_ports own_compute_ports();

/// A directory of its own in which `zenith` runs, as this user (root becomes the database user by
/// itself). The destructor kills the node and every server on files inside that directory.
class zenith_repository {
 public:
  /// Runs nothing.
  zenith_repository();
  ~zenith_repository();
  zenith_repository(const zenith_repository&) = delete;
  zenith_repository& operator=(const zenith_repository&) = delete;

  /// What --repo names; .zenith is in it once init() is done.
  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path zenith_directory() const { return directory_ / ".zenith"; }
  /// A folder beside it, for what else a test needs; the database user may write there.
  const temporary_directory& scratch() const { return scratch_; }

  /// `zenith --repo DIR --json ARGUMENTS...`
  zenith_result run(const std::vector<std::string>& arguments) const;
  /// The same without --json.
  zenith_result run_text(const std::vector<std::string>& arguments) const;
  /// run(), which has to exit with 0 and give JSON; throws with what it said otherwise.
  nlohmann::json run_ok(const std::vector<std::string>& arguments) const;

  /// init with a range of ports of the test's own, then `config KEY VALUE` for each of these. Gives
  /// what init said.
  nlohmann::json init(const std::vector<std::pair<std::string, std::string>>& settings,
                      const std::vector<std::string>& init_arguments = {}) const;
  /// init and start, as most tests begin.
  void init_and_start(const std::vector<std::string>& init_arguments = {}) const;
  /// Where the node keeps the WAL of a branch's own timeline.
  std::filesystem::path wal_directory(const std::string& branch) const;
  /// What `zenith lsn` says that a point stands for.
  lsn lsn_of(const std::string& point) const;
  /// A connection's text to a server of `pg create` or `pg start`.
  std::string conninfo(const std::string& server) const;

  /// The node's process, 0 where none runs.
  pid_t node_process() const;
  /// kill -9; returns once it is gone. Its servers go on.
  void kill_node() const;
  /// The postmaster of a server, 0 where it does not run.
  pid_t server_process(const std::string& server) const;
  /// What the node has logged.
  std::string node_log() const;

 private:
  zenith_result run_as_typed(const std::vector<std::string>& arguments) const;

  temporary_directory scratch_;
  std::filesystem::path directory_;
};

}  // namespace zenith::testing
