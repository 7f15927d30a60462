// Finding the repository that a command is about.
#include "cli/context.hpp"

#include <cstdlib>

#include "storage/io/durable_file.hpp"
#include "storage/repository/metadata.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* folder_name = ".zenith";
constexpr uint64_t config_size_bytes_max = 1 << 20;

// --repo or $ZENITH_REPO; empty where neither is given.
std::string named_place(const command_line& line) {
  if (!line.repository.empty()) return line.repository;
  const char* from_environment = std::getenv("ZENITH_REPO");
  return from_environment != nullptr ? from_environment : "";
}

bool is_repository(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder, ignored);
}

}  // namespace

fs::path absolute_path(const fs::path& place) {
  fs::path whole = fs::absolute(place).lexically_normal();
  // "dir/" would have an empty last part.
  return whole.has_filename() ? whole : whole.parent_path();
}

result<fs::path> find_repository(const command_line& line) {
  if (const std::string place = named_place(line); !place.empty()) {
    const fs::path whole = absolute_path(place);
    if (is_repository(whole / folder_name)) return whole / folder_name;
    if (whole.filename() == folder_name && is_repository(whole)) return whole;
    return fail(errc::not_found, "there is no repository in " + whole.string() +
                                     "; make one with: zenith --repo " + whole.string() + " init");
  }
  const fs::path here = fs::current_path();
  for (fs::path folder = here;; folder = folder.parent_path()) {
    if (is_repository(folder / folder_name)) return folder / folder_name;
    if (folder == folder.parent_path()) break;
  }
  return fail(errc::not_found, "there is no repository in " + here.string() +
                                   " or above it; name one with --repo, or make one with: zenith "
                                   "init");
}

fs::path new_repository(const command_line& line) {
  const std::string place = named_place(line);
  const fs::path whole = absolute_path(place.empty() ? fs::current_path() : fs::path(place));
  return whole.filename() == folder_name ? whole : whole / folder_name;
}

result<config::settings> read_settings(const fs::path& repository) {
  const fs::path name = repository / "config.json";
  ZENITH_TRY_ASSIGN(const std::string text, read_metadata_file(posix_file_system(), name));
  auto settings = repository::decode_config(text).and_then(
      [](const std::string& json) { return config::settings::from_json(json); });
  if (!settings)
    return fail(settings.error().code, name.string() + ": " + settings.error().message);
  return settings;
}

}  // namespace zenith::cli
