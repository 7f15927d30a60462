// zenith branch, tag and lsn.
#include <fmt/format.h>

#include "cli/clock.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"

namespace zenith::cli {
namespace {

json time_text(int64_t unix_us) { return to_string(timestamp::from_unix_us(unix_us)); }

json to_json(const actors::tag_info& tag) {
  return json::object({{"name", tag.name},
                       {"timeline", tag.timeline},
                       {"branch", text_or_null(tag.branch)},
                       {"lsn", shown_lsn(tag.lsn)},
                       {"created_at", time_text(tag.created_at)}});
}

}  // namespace

result<answer> run_branch_list(node_client& node) {
  ZENITH_TRY_ASSIGN(const auto branches, node.branches());
  std::vector<json> all;
  for (const auto& one : branches)
    all.push_back(json::object({{"name", one.name},
                                {"timeline", one.timeline},
                                {"parent", text_or_null(one.parent)},
                                {"start_lsn", shown_lsn(one.start_lsn)},
                                {"last_lsn", shown_lsn(one.last_lsn)},
                                {"created_at", time_text(one.created_at)}}));
  return answer{json::array(all), branch_tree(branches, now())};
}

result<answer> run_branch_make(node_client& node, const command_line& line) {
  const std::string point = line.point.empty() ? "main" : line.point;
  ZENITH_TRY_ASSIGN(const auto made, node.make_branch(line.name, point));
  const auto& branch = made.branch;
  const std::string moved =
      made.moved ? fmt::format("the LSN of {} lies inside a record: moved to its end\n", point)
                 : "";
  return answer{
      json::object({{"name", branch.name},
                    {"timeline", branch.timeline},
                    {"parent", text_or_null(branch.parent)},
                    {"start_lsn", shown_lsn(branch.start_lsn)},
                    {"moved", made.moved},
                    {"supervisor_us", made.supervisor_us},
                    {"waited_us", made.waited_us}}),
      fmt::format("branch {} at {}{} ({}, waited {} for WAL)\n{}", branch.name,
                  shown_lsn(branch.start_lsn), branch.parent.empty() ? "" : " of " + branch.parent,
                  shown_duration(made.supervisor_us), shown_duration(made.waited_us), moved)};
}

result<answer> run_branch_delete(node_client& node, const command_line& line) {
  ZENITH_TRY(node.delete_branch(line.name, line.force));
  return answer{json::object({{"name", line.name}}), fmt::format("deleted branch {}\n", line.name)};
}

result<answer> run_branch_rename(node_client& node, const command_line& line) {
  ZENITH_TRY(node.rename_branch(line.name, line.new_name));
  return answer{json::object({{"name", line.new_name}}),
                fmt::format("renamed branch {} to {}\n", line.name, line.new_name)};
}

result<answer> run_tag_list(node_client& node) {
  ZENITH_TRY_ASSIGN(const auto tags, node.tags());
  std::vector<json> all;
  std::vector<std::vector<std::string>> rows;
  for (const auto& tag : tags) {
    all.push_back(to_json(tag));
    rows.push_back({tag.name, tag.branch.empty() ? tag.timeline : tag.branch, shown_lsn(tag.lsn),
                    shown_time(timestamp::from_unix_us(tag.created_at), now())});
  }
  return answer{json::array(all), table({{"tag"}, {"branch"}, {"at"}, {"created"}}, rows)};
}

result<answer> run_tag_make(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto tag,
                    node.make_tag(line.name, line.point.empty() ? "main" : line.point));
  return answer{to_json(tag), fmt::format("tag {} at {}\n", tag.name, shown_lsn(tag.lsn))};
}

result<answer> run_tag_delete(node_client& node, const command_line& line) {
  ZENITH_TRY(node.delete_tag(line.name));
  return answer{json::object({{"name", line.name}}), fmt::format("deleted tag {}\n", line.name)};
}

result<answer> run_lsn(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto found, node.resolve(line.point));
  std::string text = shown_lsn(found.lsn);
  text += fmt::format("\nbranch    {}\ntimeline  {}\n", found.branch.empty() ? "-" : found.branch,
                      found.timeline);
  text += "commit    ";
  text += found.has_time ? shown_time(timestamp::from_unix_us(found.time), now())
                         : std::string("none in the retained history");
  text += "\n";
  if (found.moved) text += "the LSN given lies inside a record: moved to its end\n";
  return answer{json::object({{"timeline", found.timeline},
                              {"branch", text_or_null(found.branch)},
                              {"lsn", shown_lsn(found.lsn)},
                              {"time", found.has_time ? time_text(found.time) : json(nullptr)},
                              {"moved", found.moved}}),
                text};
}

}  // namespace zenith::cli
