// node_process: the node as a process: whether it runs, starting it, waiting for its end.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "storage/base/result.hpp"

namespace zenith::cli {

/// The process that runs on the repository, by its lock; none where none does.
result<std::optional<int>> running_node(const std::filesystem::path& repository);

/// Runs the zenithd that lies beside this program, apart from this terminal, and returns its
/// process id once it serves. Its output goes to log/zenithd.out in the repository. Errors:
/// conflict (a node runs already), unavailable (it ended, with its own last line; or the time is
/// over), io.
result<int> start_node(const std::filesystem::path& repository, std::chrono::milliseconds timeout);

/// Returns once no process holds the repository. Error: unavailable when the time is over.
result<void> wait_for_end(const std::filesystem::path& repository,
                          std::chrono::milliseconds timeout);

/// This program's own folder, in which zenithd lies too.
std::filesystem::path program_folder();

}  // namespace zenith::cli
