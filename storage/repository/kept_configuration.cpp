// Configuration files copied, and read with what their sums say.
#include "storage/repository/kept_configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "storage/io/durable_file.hpp"
#include "storage/io/object_reader.hpp"
#include "storage/repository/compute_files.hpp"

namespace zenith::repository {
namespace {

constexpr uint64_t configuration_file_bytes_max = 16 << 20;
constexpr size_t sum_digits = 8;

std::string encode_sums(const configuration_sums& sums) {
  nlohmann::json all = nlohmann::json::object();
  for (const auto& [name, sum] : sums) all[name] = fmt::format("{:08X}", sum);
  return all.dump(2) + "\n";
}

std::optional<uint32_t> parse_sum(std::string_view text) {
  uint32_t sum = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), sum, 16);
  if (text.size() != sum_digits || failure != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return sum;
}

result<std::string> read_text(file_system& files, const path& name) {
  ZENITH_TRY_ASSIGN(const bytes data, read_file(files, name, configuration_file_bytes_max));
  return std::string(as_text(data));
}

}  // namespace

result<configuration_sums> read_configuration_sums(file_system& files, const path& folder) {
  const path name = folder / configuration_sums_name;
  const auto text = read_metadata_file(files, name);
  if (!text && text.error().code == errc::not_found) return configuration_sums{};
  if (!text) return tl::unexpected<error>(text.error());
  object_reader in(std::string_view(*text), name.string());
  configuration_sums sums;
  for (const char* file : kept_configuration_files) {
    if (!in.has(file)) continue;
    const std::string digits = in.text(file);
    if (const auto sum = parse_sum(digits))
      sums.emplace(file, *sum);
    else
      in.complain(fmt::format("field '{}' is not {} hex digits", file, sum_digits));
  }
  return in.finish(std::move(sums));
}

result<std::string> read_configuration_file(file_system& files, const path& folder,
                                            const std::string& name,
                                            const configuration_sums& sums) {
  ZENITH_TRY_ASSIGN(std::string text, read_text(files, folder / name));
  const auto expected = sums.find(name);
  if (expected == sums.end()) return text;
  if (const uint32_t found = crc32c(as_bytes(text)); found != expected->second)
    return fail(errc::corrupt,
                fmt::format("{} is damaged: expected CRC-32C {:08X}, found {:08X}; where it was "
                            "changed by hand, remove {}",
                            (folder / name).string(), expected->second, found,
                            (folder / configuration_sums_name).string()));
  return text;
}

result<void> keep_configuration(file_system& files, const path& pgdata, const path& folder) {
  const auto kept_sums = read_configuration_sums(files, folder);
  configuration_sums sums;
  std::vector<backup::extra_file> changed;
  for (const char* name : kept_configuration_files) {
    auto text = read_text(files, pgdata / name);
    if (!text && text.error().code == errc::not_found) {
      // What is kept of it stays, with what was said of it.
      if (kept_sums && kept_sums->contains(name)) sums.emplace(name, kept_sums->at(name));
      continue;
    }
    ZENITH_TRY(text);
    sums.emplace(name, crc32c(as_bytes(*text)));
    const auto kept = read_text(files, folder / name);
    if (!kept || *kept != *text) changed.push_back({name, std::move(*text)});
  }
  if (changed.empty() && kept_sums && *kept_sums == sums) return {};
  ZENITH_TRY(create_directories_durably(files, folder));
  const path sums_name = folder / configuration_sums_name;
  if (const auto removed = remove_file_durably(files, sums_name);
      !removed && removed.error().code != errc::not_found)
    return removed;
  for (const backup::extra_file& one : changed)
    ZENITH_TRY(write_file_durably(files, folder / one.name, as_bytes(one.contents)));
  return write_metadata_file(files, sums_name, encode_sums(sums));
}

result<std::vector<backup::extra_file>> newest_configuration(file_system& files,
                                                             const std::vector<path>& folders) {
  std::vector<backup::extra_file> found;
  for (const path& folder : folders) {
    ZENITH_TRY_ASSIGN(const configuration_sums sums, read_configuration_sums(files, folder));
    ZENITH_TRY_ASSIGN(const bool there, files.exists(folder / "postgresql.conf"));
    if (!there && !sums.contains("postgresql.conf")) continue;
    for (const char* name : kept_configuration_files) {
      ZENITH_TRY_ASSIGN(const bool is_kept, files.exists(folder / name));
      if (!is_kept && sums.contains(name))
        return fail(errc::corrupt,
                    fmt::format("{} is missing, and {} expects it", (folder / name).string(),
                                (folder / configuration_sums_name).string()));
      if (!is_kept) continue;
      ZENITH_TRY_ASSIGN(std::string text, read_configuration_file(files, folder, name, sums));
      found.push_back({name, std::move(text)});
    }
    break;
  }
  return found;
}

}  // namespace zenith::repository
