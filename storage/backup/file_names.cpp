// What the files of a data directory are called.
#include "storage/backup/file_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/postgres/control_file.hpp"

namespace zenith::backup {

namespace {

std::optional<uint32_t> parse_hex(std::string_view text) {
  uint32_t value = 0;
  if (!std::ranges::all_of(text,
                           [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); }))
    return std::nullopt;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<uint32_t> parse_oid(std::string_view text) {
  uint32_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size() || text.front() == '0')
    return std::nullopt;
  return value;
}

std::string tablespace_version_directory(uint32_t tablespace) {
  return fmt::format("pg_tblspc/{}/{}", tablespace, pg::tablespace_version_directory);
}

std::string database_directory(uint32_t tablespace, uint32_t database) {
  if (tablespace == global_tablespace) return "global";
  if (tablespace == default_tablespace) return fmt::format("base/{}", database);
  return fmt::format("{}/{}", tablespace_version_directory(tablespace), database);
}

std::string to_string(const relation_file& name) {
  std::string text = std::to_string(name.relfilenode);
  if (name.fork != fork_number::main) text += fmt::format("_{}", to_string(name.fork));
  if (name.segment > 0) text += fmt::format(".{}", name.segment);
  return text;
}

std::optional<relation_file> parse_relation_file(std::string_view name) {
  relation_file file;
  if (const size_t dot = name.find('.'); dot != name.npos) {
    const auto segment = parse_oid(name.substr(dot + 1));
    if (!segment) return std::nullopt;
    file.segment = *segment;
    name = name.substr(0, dot);
  }
  if (const size_t underscore = name.find('_'); underscore != name.npos) {
    const auto fork = std::ranges::find_if(all_forks, [&](fork_number f) {
      return f != fork_number::main && name.substr(underscore + 1) == to_string(f);
    });
    if (fork == all_forks.end()) return std::nullopt;
    file.fork = *fork;
    name = name.substr(0, underscore);
  }
  const auto relfilenode = parse_oid(name);
  if (!relfilenode) return std::nullopt;
  file.relfilenode = *relfilenode;
  return file;
}

std::string slru_file(slru_kind slru, uint32_t segment) {
  return fmt::format("{}/{:04X}", directory_of(slru), segment);
}

std::optional<uint32_t> parse_slru_file(std::string_view name) {
  if (name.size() < 4 || name.size() > 6) return std::nullopt;
  return parse_hex(name);
}

std::string two_phase_file(uint32_t xid) { return fmt::format("{:08X}", xid); }

std::optional<uint32_t> parse_two_phase_file(std::string_view name) {
  return name.size() == 8 ? parse_hex(name) : std::nullopt;
}

std::string history_file(pg_timeline timeline) {
  return fmt::format("{:08X}.history", static_cast<uint32_t>(timeline));
}

}  // namespace zenith::backup
