// node: one running zenithd, from its repository's lock to its end.
#pragma once

#include <filesystem>

#include "storage/base/result.hpp"

namespace zenith::actors {

/// Serves the repository until a client or a signal (SIGTERM, SIGINT) ends it. `ready` is written
/// one byte to and closed once it serves (-1: nobody waits). Errors: conflict (another node runs on
/// it), not_found, corrupt, io.
result<void> run_node(const std::filesystem::path& repository, int ready);

}  // namespace zenith::actors
