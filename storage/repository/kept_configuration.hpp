// kept_configuration: the configuration files that a timeline keeps of its newest server, with
// sums.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/backup/base_backup.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::repository {

/// Where they lie in a timeline's folder.
inline constexpr const char* configuration_folder_name = "configuration";

/// Beside the kept files, a metadata file: {"FILE": "CRC-32C, 8 upper-case hex digits", ...}. It is
/// written after them and removed before them, so that it never speaks of others than are there. A
/// file without a sum is not checked: folders of earlier versions have none.
inline constexpr const char* configuration_sums_name = "checksums";
using configuration_sums = std::map<std::string, uint32_t, std::less<>>;

/// Those of a folder; none where it has no such file. Errors: corrupt (names the file), io.
result<configuration_sums> read_configuration_sums(file_system& files, const path& folder);

/// A file's contents. Errors: not_found, io, limit, and corrupt where they are not what the sum
/// says (names the file, what was expected and what was found).
result<std::string> read_configuration_file(file_system& files, const path& folder,
                                            const std::string& name,
                                            const configuration_sums& sums);

/// Copies a server's configuration files from its data directory to where its timeline keeps them,
/// durably; nothing is written where they are the same. What fails may be tried again.
result<void> keep_configuration(file_system& files, const path& pgdata, const path& folder);

/// The configuration files of the first folder that has a postgresql.conf; none of them where no
/// folder has one: the base's own are in the view then. Errors: as read_configuration_file, and
/// corrupt where a file is gone of which there is a sum.
result<std::vector<backup::extra_file>> newest_configuration(file_system& files,
                                                             const std::vector<path>& folders);

}  // namespace zenith::repository
