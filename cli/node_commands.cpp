// zenith start, stop and status.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/node_process.hpp"
#include "cli/text.hpp"
#include "storage/repository/node_file.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

// Beside what a node gives itself for stopping: its computes, then its timelines.
constexpr int stop_timeout_factor = 10;

json lsn_or_null(uint64_t position) {
  return position == 0 ? json(nullptr) : json(shown_lsn(position));
}

json to_json(const actors::timeline_status& timeline) {
  return json::object({{"id", timeline.id},
                       {"branch", text_or_null(timeline.branch)},
                       {"state", timeline.state},
                       {"start_lsn", lsn_or_null(timeline.start_lsn)},
                       {"last_lsn", lsn_or_null(timeline.last_lsn)},
                       {"durable_lsn", lsn_or_null(timeline.durable_lsn)},
                       {"source", text_or_null(timeline.source)},
                       {"lag_bytes", timeline.lag_bytes},
                       {"problem", text_or_null(timeline.problem)},
                       {"images_checked", timeline.images_checked},
                       {"image_mismatches", timeline.image_mismatches},
                       {"image_failures", timeline.image_failures},
                       {"readable_from", lsn_or_null(timeline.readable_from)},
                       {"memory_bytes", timeline.memory_bytes},
                       {"layers", timeline.layers},
                       {"layer_bytes", timeline.layer_bytes},
                       {"layer_depth", timeline.layer_depth},
                       {"wal_bytes", timeline.wal_bytes},
                       {"flushed_bytes", timeline.flushed_bytes},
                       {"merged_bytes", timeline.merged_bytes}});
}

// What came of check_consistency_images; nothing where no image was seen.
std::string shown_images(const actors::timeline_status& one) {
  if (one.images_checked + one.image_failures == 0) return "";
  std::string shown =
      fmt::format("{} images checked, {} mismatches", one.images_checked, one.image_mismatches);
  if (one.image_failures != 0) shown += fmt::format(", {} not to be checked", one.image_failures);
  return shown;
}

// "12, 1.5 GB", nothing where a timeline has no figures yet.
std::string shown_layers(const actors::timeline_status& one) {
  return one.layers == 0 ? "" : fmt::format("{}, {}", one.layers, shown_size(one.layer_bytes));
}

std::string timelines_table(const std::vector<actors::timeline_status>& timelines) {
  std::vector<std::vector<std::string>> rows;
  std::string notes;
  for (const auto& one : timelines) {
    const std::string& name = one.branch.empty() ? one.id : one.branch;
    rows.push_back({one.branch, one.id, one.state, shown_lsn(one.last_lsn),
                    shown_lsn(one.durable_lsn), one.source,
                    one.source.empty() ? "" : shown_size(one.lag_bytes),
                    one.memory_bytes == 0 ? "" : shown_size(one.memory_bytes), shown_layers(one)});
    if (const auto images = shown_images(one); !images.empty())
      notes += name + ": " + images + "\n";
    if (!one.problem.empty()) notes += "! " + name + ": " + one.problem + "\n";
  }
  return table({{"branch"},
                {"timeline"},
                {"state"},
                {"received"},
                {"durable"},
                {"source"},
                {"lag", column::side::right},
                {"memory", column::side::right},
                {"layers", column::side::right}},
               rows) +
         notes;
}

answer describe(const actors::node_status& status, bool is_running) {
  std::vector<json> timelines;
  for (const auto& one : status.timelines) timelines.push_back(to_json(one));
  answer made{json::object({{"running", is_running},
                            {"pid", is_running ? json(status.pid) : json(nullptr)},
                            {"cli_address", text_or_null(status.cli_address)},
                            {"page_address", text_or_null(status.page_address)},
                            {"http_address", text_or_null(status.http_address)},
                            {"version", status.version},
                            {"memory_bytes", status.memory_bytes},
                            {"memory_limit_bytes", status.memory_limit_bytes},
                            {"timelines", json::array(timelines)}}),
              ""};
  if (is_running)
    made.text = fmt::format(
        "the node runs: pid {}, zenithd {}\ncommands  {}\npages     {}\nmemory    {} of {}\n\n",
        status.pid, status.version, status.cli_address, status.page_address,
        shown_size(status.memory_bytes), shown_size(status.memory_limit_bytes));
  else
    made.text = "no node runs; start it with: zenith start\n\n";
  made.text += timelines_table(status.timelines);
  return made;
}

// What the repository's files say where no node runs.
result<actors::node_status> status_from_files(const fs::path& directory) {
  ZENITH_TRY_ASSIGN(const auto opened,
                    repository::repository::open(posix_file_system(), directory));
  actors::node_status status;
  status.version = ZENITH_VERSION;
  for (const auto& metadata : opened.timelines()) {
    auto& one = status.timelines.emplace_back();
    one.id = to_string(metadata.id);
    one.branch = opened.branch_of(metadata.id);
    one.state = "idle";
    one.start_lsn = metadata.start.value();
  }
  for (const error& damage : opened.damaged()) {
    auto& one = status.timelines.emplace_back();
    one.state = "failed";
    one.problem = damage.message;
  }
  return status;
}

}  // namespace

result<answer> run_start(const fs::path& repository) {
  ZENITH_TRY_ASSIGN(const auto settings, read_settings(repository));
  ZENITH_TRY_ASSIGN(const int pid, start_node(repository, settings.duration("node_start_timeout")));
  ZENITH_TRY_ASSIGN(auto node, node_client::connect(repository));
  ZENITH_TRY_ASSIGN(const auto status, node.status());
  answer made = describe(status, /*is_running=*/true);
  made.text = fmt::format("the node runs: pid {}\n", pid);
  return made;
}

result<answer> run_stop(const fs::path& repository) {
  ZENITH_TRY_ASSIGN(const auto settings, read_settings(repository));
  ZENITH_TRY_ASSIGN(auto node, node_client::connect(repository));
  const auto answered = node.shut_down();
  if (!answered && answered.error().code != errc::unavailable)
    return tl::unexpected<error>(answered.error());
  ZENITH_TRY(wait_for_end(repository, settings.duration("shutdown_timeout") * stop_timeout_factor));
  // The end can overtake the answer. A node that ended in order has removed its file.
  std::error_code ignored;
  if (!answered && fs::exists(repository / repository::node_file_name, ignored))
    return tl::unexpected<error>(answered.error());
  return answer{json::object({{"running", false}}), "the node stopped\n"};
}

result<answer> run_status(const fs::path& repository) {
  ZENITH_TRY_ASSIGN(const auto running, running_node(repository));
  if (!running) {
    ZENITH_TRY_ASSIGN(const auto status, status_from_files(repository));
    return describe(status, /*is_running=*/false);
  }
  ZENITH_TRY_ASSIGN(auto node, node_client::connect(repository));
  ZENITH_TRY_ASSIGN(const auto status, node.status());
  return describe(status, /*is_running=*/true);
}

}  // namespace zenith::cli
