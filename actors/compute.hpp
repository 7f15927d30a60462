// The compute actor: one PostgreSQL server of this node.
#pragma once

#include <chrono>
#include <filesystem>

#include "actors/interfaces.hpp"
#include "storage/repository/metadata.hpp"

namespace zenith::actors {

struct compute_parameters {
  repository::compute_metadata metadata;
  std::filesystem::path directory;         ///< computes/NAME
  std::filesystem::path socket_directory;  ///< the node's private folder
  std::filesystem::path pg_bin;
  std::string receiver_name;
  /// Where the branch's kept configuration files lie; the newest server's are copied there.
  std::filesystem::path configuration;
  /// Where to take them from for a new data directory, the first that has them.
  std::vector<std::filesystem::path> configuration_sources;
  std::chrono::milliseconds start_timeout{60'000};
  std::chrono::milliseconds stop_timeout{60'000};
};

struct compute_state {
  static inline const char* name = "compute";
  compute_parameters parameters;
  supervisor_actor supervisor;
  compute_info info;
  std::optional<pid_t> process;
};

/// What a compute says of itself before it was asked anything: stopped, or running where its
/// server is (a node that comes back adopts it).
compute_info describe_compute(const compute_parameters& parameters);

/// Adopts a server that runs already. Spawn it detached: it waits for programs and files.
compute_actor::behavior_type compute(compute_actor::stateful_pointer<compute_state> self,
                                     compute_parameters parameters, supervisor_actor supervisor);

}  // namespace zenith::actors
