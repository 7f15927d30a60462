// zenith pg: servers.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"

namespace zenith::cli {
namespace {

json lsn_or_null(uint64_t position) {
  return position == 0 ? json(nullptr) : json(shown_lsn(position));
}

json created(const actors::compute_info& info) {
  return json::object({{"name", info.name},
                       {"branch", text_or_null(info.branch)},
                       {"timeline", info.timeline},
                       {"lsn", shown_lsn(info.lsn)},
                       {"port", info.port},
                       {"data_directory", info.data_directory},
                       {"uri", info.uri},
                       {"mode", info.mode},
                       {"state", info.state}});
}

json changed(const actors::compute_info& info) {
  return json::object({{"name", info.name},
                       {"state", info.state},
                       {"port", info.port},
                       {"uri", info.uri},
                       {"received_lsn", lsn_or_null(info.received_lsn)}});
}

json listed(const actors::compute_info& info) {
  // Relation files are full copies, so that everything is local from the start.
  constexpr int hydrated = 1;
  return json::object({{"name", info.name},
                       {"branch", text_or_null(info.branch)},
                       {"timeline", info.timeline},
                       {"state", info.state},
                       {"port", info.port},
                       {"uri", info.uri},
                       {"mode", info.mode},
                       {"hydrated_fraction", hydrated},
                       {"received_lsn", lsn_or_null(info.received_lsn)},
                       {"problem", text_or_null(info.problem)}});
}

std::string reached_by(const actors::compute_info& info) {
  return fmt::format("connect   zenith pg psql {}\nuri       {}\n", info.name, info.uri);
}

}  // namespace

result<answer> run_pg_create(node_client& node, const command_line& line) {
  actors::compute_request request;
  request.name = line.name;
  request.point = line.point;
  request.port = line.port;
  request.full = line.full;
  request.read_only = line.read_only;
  request.sync = line.sync;
  show_progress("writing the data directory");
  ZENITH_TRY_ASSIGN(auto info, node.create_compute(request));
  if (line.start) {
    auto started = node.start_compute(line.name);
    if (!started)
      return fail(started.error().code, fmt::format("{} is made, but did not start: {}", line.name,
                                                    started.error().message));
    info = *started;
  }
  const std::string place = info.branch.empty() ? info.timeline : info.branch;
  return answer{
      created(info),
      fmt::format("made {} on {} at {}, {}, port {}: {}\n", info.name, place, shown_lsn(info.lsn),
                  info.mode, info.port, info.state) +
          (line.start ? reached_by(info) : fmt::format("next: zenith pg start {}\n", info.name))};
}

result<answer> run_pg_start(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto info, node.start_compute(line.name));
  return answer{changed(info),
                fmt::format("{} runs on port {}\n{}", info.name, info.port, reached_by(info))};
}

result<answer> run_pg_stop(node_client& node, const command_line& line) {
  ZENITH_TRY_ASSIGN(const auto info, node.stop_compute(line.name, line.immediate));
  const std::string received =
      info.received_lsn == 0
          ? ""
          : fmt::format("; the node has its WAL up to {}", shown_lsn(info.received_lsn));
  return answer{changed(info), fmt::format("{} stopped{}\n", info.name, received)};
}

result<answer> run_pg_list(node_client& node) {
  ZENITH_TRY_ASSIGN(const auto computes, node.computes());
  std::vector<json> all;
  std::vector<std::vector<std::string>> rows;
  std::string problems;
  for (const auto& info : computes) {
    all.push_back(listed(info));
    rows.push_back({info.name, info.branch.empty() ? info.timeline : info.branch, info.state,
                    std::to_string(info.port), info.mode, shown_lsn(info.received_lsn), info.uri});
    if (!info.problem.empty()) problems += "! " + info.name + ": " + info.problem + "\n";
  }
  return answer{json::array(all), table({{"server"},
                                         {"branch"},
                                         {"state"},
                                         {"port", column::side::right},
                                         {"mode"},
                                         {"received"},
                                         {"uri"}},
                                        rows) +
                                      problems};
}

result<answer> run_pg_destroy(node_client& node, const command_line& line) {
  ZENITH_TRY(node.destroy_compute(line.name, line.force));
  return answer{json::object({{"name", line.name}}), fmt::format("destroyed {}\n", line.name)};
}

}  // namespace zenith::cli
