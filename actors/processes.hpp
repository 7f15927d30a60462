// Running PostgreSQL's programs for a compute: blocking calls, for detached actors only.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/result.hpp"

namespace zenith::actors {

struct finished_program {
  int exit_code = 0;   ///< 128 + signal where one ended it
  std::string output;  ///< what it wrote, standard error included; its last 64 KiB
};

/// Runs a program to its end. Error: io where it cannot be run.
result<finished_program> run_program(const std::vector<std::string>& argv);

/// The process that runs a server on this data directory (postmaster.pid), none where it is gone.
std::optional<pid_t> running_server(const std::filesystem::path& data_directory);

/// Whether nobody listens on this port of 127.0.0.1.
bool port_is_free(uint16_t port);

/// The last lines of a server's log, for an error message.
std::string log_tail(const std::filesystem::path& log);

}  // namespace zenith::actors
