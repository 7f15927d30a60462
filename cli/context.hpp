// context: one run of the program, with the repository that it is about.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/json.hpp"
#include "config/settings.hpp"
#include "storage/base/result.hpp"

namespace zenith::cli {

/// What a command prints on standard output when it is done, and its exit code.
struct answer {
  json value;
  std::string text;  ///< for people; lines with their ends
  int exit_code = 0;
};

/// The nearest .zenith that --repo, $ZENITH_REPO or the current directory leads to. Error:
/// not_found.
result<std::filesystem::path> find_repository(const command_line& line);
/// Where `init` makes one: DIR/.zenith, whether or not it exists.
std::filesystem::path new_repository(const command_line& line);

/// Absolute and with no "." or ".." parts, whether or not it exists.
std::filesystem::path absolute_path(const std::filesystem::path& place);

/// The repository's settings, with no node needed.
result<config::settings> read_settings(const std::filesystem::path& repository);

}  // namespace zenith::cli
