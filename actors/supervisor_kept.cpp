// The supervisor's part in what collecting says to a person: what goes, and what keeps the rest.
#include <fmt/format.h>

#include "actors/layer_settings.hpp"
#include "actors/supervisor.hpp"

namespace zenith::actors {
namespace {

std::string shown_bytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const double kilobytes = static_cast<double>(bytes) / 1024;
  return kilobytes < 1000 ? fmt::format("{:.1f} kB", kilobytes)
                          : fmt::format("{:.1f} MB", kilobytes / 1024);
}

// What merges would free now, and what of it others hold.
std::string would_free(const surveyed_timeline& one) {
  if (one.found.layer_bytes == 0) return "merges would free nothing; ";
  std::string said =
      "merges would free about " + shown_bytes(one.found.layer_bytes - one.shared_bytes);
  if (one.shared_bytes != 0)
    said += " now, and about " + shown_bytes(one.shared_bytes) +
            " once no other branch reads the same files";
  return said + "; ";
}

}  // namespace

void supervisor::add_collected(const collection& run, const surveyed_timelines& surveyed,
                               gc_reply& to) const {
  trimmed_timelines trimmed = run.trimmed;
  auto failures = run.failures;
  // Of what was not opened the survey knows what it keeps.
  for (const auto& [id, one] : surveyed) {
    if (!one)
      failures.emplace(id, one.error());
    else if (!run.failures.contains(id))
      trimmed.emplace(id, one->found.wal);
  }
  for (const timeline_id& id : timelines_with_layers()) {
    to.kept.push_back(name_for_person(id) + ": " + why_kept(id));
    if (const auto found = trimmed.find(id); found != trimmed.end() && found->second)
      to.kept.back() += "; its WAL from there on: " + found->second->why;
  }
  for (const auto& [id, one] : trimmed) {
    if (!one) {
      to.kept.push_back("! WAL of timeline " + to_string(id) + ": " + one.error().message);
      continue;
    }
    to.removed_wal_files += one->files;
    to.removed_wal_bytes += one->bytes;
    to.kept_wal_bytes += one->bytes_kept;
  }
  for (const auto& [id, why] : failures)
    to.kept.push_back("! timeline " + to_string(id) + ": " + why.message);
}

void supervisor::add_surveyed(const surveyed_timelines& surveyed, gc_reply& to) const {
  for (const auto& [id, one] : surveyed) {
    if (!one) {
      to.kept.push_back("! timeline " + to_string(id) + ": " + one.error().message);
      continue;
    }
    to.estimated_bytes += one->found.layer_bytes - one->shared_bytes;
    to.removed_wal_files += one->found.wal.files;
    to.removed_wal_bytes += one->found.wal.bytes;
    to.kept_wal_bytes += one->found.wal.bytes_kept;
    to.kept.push_back(name_for_person(id) + ": " + would_free(*one) + why_kept(id) +
                      "; its WAL from there on: " + one->found.wal.why);
  }
}

std::string supervisor::name_for_person(const timeline_id& id) const {
  const std::string branch = names().branch_of(id);
  return branch.empty() ? "timeline " + to_string(id) : branch;
}

// What keeps a timeline's layers as they are, in one line.
std::string supervisor::why_kept(const timeline_id& id) const {
  std::string why = "its window (" + shown_window(window_of(id)) + ")";
  const auto list = [&](const char* what, const std::vector<std::string>& which) {
    if (which.empty()) return;
    why += std::string(", ") + what;
    for (size_t i = 0; i < which.size() && i < 5; ++i) why += (i == 0 ? " " : ", ") + which[i];
    if (which.size() > 5) why += ", and " + std::to_string(which.size() - 5) + " more";
  };
  std::vector<std::string> children;
  for (const timeline_id& child : names().children_of(id)) {
    const std::string name = names().branch_of(child);
    children.push_back(name.empty() ? to_string(child) : name);
  }
  std::vector<std::string> tags;
  for (const auto& [name, tag] : names().tags())
    if (tag.point.timeline == id) tags.push_back(name);
  std::vector<std::string> servers;
  for (const auto& one : names().computes())
    if (one.timeline == id) servers.push_back(one.name);
  list("branches", children);
  list("tags", tags);
  list("servers", servers);
  return why;
}

}  // namespace zenith::actors
