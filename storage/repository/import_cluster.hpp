// import_cluster: a stopped cluster's data directory as a new root branch of a repository.
#pragma once

#include <string>

#include "storage/base/timestamp.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::repository {

/// Reads the directory into a base image, keeps the WAL segment that its last record lies in, and
/// makes the branch. The directory may go afterwards. Errors: import_directory's (another version,
/// not shut down, damaged), and those of create_branch.
result<timeline_metadata> import_cluster(file_system& files, repository& into,
                                         const path& data_directory, const std::string& branch,
                                         int compression_level, timestamp now);

}  // namespace zenith::repository
