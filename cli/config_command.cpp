// zenith config.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/node_process.hpp"
#include "cli/text.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;
using config::setting;
using config::value_kind;

const char* unit_of(const setting& row) {
  switch (row.kind) {
    case value_kind::size:
      return "B, kB, MB, GB, TB";
    case value_kind::duration:
      return "ms, s, min, h, d";
    default:
      return "";
  }
}

// A bound as its setting's text; empty where the setting has none.
std::string bound_text(const setting& row, int64_t bound) {
  const char* unit = row.kind == value_kind::size       ? "B"
                     : row.kind == value_kind::duration ? "ms"
                     : row.kind == value_kind::count    ? ""
                                                        : nullptr;
  config::settings one;
  if (unit == nullptr || !one.set(row.key, std::to_string(bound) + unit)) return "";
  return one.shown(row.key).value_or("");
}

std::string bounds_text(const setting& row) {
  if (row.kind == value_kind::word) return row.words;
  if (row.kind == value_kind::flag) return "on|off";
  const std::string low = bound_text(row, row.min);
  return low.empty() ? "" : low + " to " + bound_text(row, row.max);
}

result<json> to_json(const config::settings& settings, const setting& row) {
  ZENITH_TRY_ASSIGN(const std::string value, settings.shown(row.key));
  return json::object({{"key", row.key},
                       {"value", value},
                       {"default", row.default_text},
                       {"unit", text_or_null(unit_of(row))},
                       {"min", text_or_null(bound_text(row, row.min))},
                       {"max", text_or_null(bound_text(row, row.max))},
                       {"allowed", text_or_null(row.words)},
                       {"description", row.description}});
}

result<answer> list(const config::settings& settings) {
  std::vector<json> all;
  std::vector<std::vector<std::string>> rows;
  for (const setting& row : config::all_settings()) {
    ZENITH_TRY_ASSIGN(json one, to_json(settings, row));
    all.push_back(std::move(one));
    rows.push_back({row.key, settings.shown(row.key).value_or(""), row.default_text,
                    bounds_text(row), row.description});
  }
  return answer{json::array(all),
                table({{"setting"}, {"value"}, {"default"}, {"bounds"}, {"what it is"}}, rows)};
}

// The node alone writes what belongs to its branches.
result<answer> run_for_branch(const fs::path& directory, const config::settings& nodes,
                              const command_line& line) {
  if (line.value) {
    if (line.key.empty()) return fail(errc::invalid_argument, "which setting is to be changed?");
    ZENITH_TRY_ASSIGN(auto node, node_client::connect(directory));
    ZENITH_TRY(node.set_for_branch(line.name, line.key, *line.value));
  }
  ZENITH_TRY_ASSIGN(const auto opened,
                    repository::repository::open(posix_file_system(), directory));
  ZENITH_TRY_ASSIGN(const auto branch, opened.branch(line.name));
  ZENITH_TRY_ASSIGN(const auto timeline, opened.timeline(branch.timeline));
  config::settings settings = nodes;
  for (const auto& [key, value] : timeline.settings) ZENITH_TRY(settings.set(key, value));
  if (line.key.empty()) return list(settings);
  ZENITH_TRY_ASSIGN(const setting* const row, config::find_setting(line.key));
  ZENITH_TRY_ASSIGN(const json one, to_json(settings, *row));
  const bool is_own = timeline.settings.contains(line.key);
  return answer{one,
                fmt::format("{} = {}\n{}\n{}\n", row->key, settings.shown(row->key).value_or(""),
                            row->description, is_own ? "the branch's own" : "the node's")};
}

}  // namespace

result<answer> run_config(const fs::path& directory, const command_line& line) {
  ZENITH_TRY_ASSIGN(auto settings, read_settings(directory));
  if (!line.name.empty()) return run_for_branch(directory, settings, line);
  if (line.key.empty()) return list(settings);
  ZENITH_TRY_ASSIGN(const setting* const row, config::find_setting(line.key));
  std::string note;
  if (line.value) {
    ZENITH_TRY(settings.set(line.key, *line.value));
    ZENITH_TRY_ASSIGN(auto opened, repository::repository::open(posix_file_system(), directory));
    ZENITH_TRY(opened.write_settings(settings.to_json()));
    ZENITH_TRY_ASSIGN(const auto running, running_node(directory));
    if (running) note = "the running node takes it when it starts the next time\n";
  }
  ZENITH_TRY_ASSIGN(const json one, to_json(settings, *row));
  const std::string bounds = bounds_text(*row);
  return answer{one, fmt::format("{} = {}\n{}\ndefault {}{}\n{}", row->key,
                                 settings.shown(row->key).value_or(""), row->description,
                                 row->default_text, bounds.empty() ? "" : ", " + bounds, note)};
}

}  // namespace zenith::cli
