// The repository's changes and questions; reading it from disk is in repository_load.cpp.
#include "storage/repository/repository.hpp"

#include <fmt/format.h>

#include <set>

#include "storage/io/durable_file.hpp"
#include "storage/repository/names.hpp"

namespace zenith::repository {
namespace {

template <class T>
std::vector<std::pair<std::string, T>> good_ones(const auto& table) {
  std::vector<std::pair<std::string, T>> out;
  for (const auto& [name, entry] : table)
    if (entry) out.emplace_back(name, *entry);
  return out;
}

}  // namespace

path repository::timeline_directory(const timeline_id& id) const {
  return timelines_directory() / to_string(id);
}

path repository::compute_directory(std::string_view name) const {
  return computes_directory() / name;
}

result<void> repository::write_settings(std::string_view settings_json) {
  const std::string text = encode_config(settings_json);
  ZENITH_TRY(write_metadata_file(*files_, directory_ / "config.json", text));
  settings_json_ = settings_json;
  return {};
}

// ---- names

std::vector<std::pair<std::string, branch_metadata>> repository::branches() const {
  return good_ones<branch_metadata>(branches_);
}

std::vector<std::pair<std::string, tag_metadata>> repository::tags() const {
  return good_ones<tag_metadata>(tags_);
}

result<branch_metadata> repository::branch(std::string_view name) const {
  const auto found = branches_.find(name);
  if (found == branches_.end())
    return fail(errc::not_found, fmt::format("there is no branch '{}'", name));
  return found->second;
}

result<tag_metadata> repository::tag(std::string_view name) const {
  const auto found = tags_.find(name);
  if (found == tags_.end()) return fail(errc::not_found, fmt::format("there is no tag '{}'", name));
  return found->second;
}

result<resolved_name> repository::resolve(std::string_view name) const {
  if (branches_.contains(name)) {
    ZENITH_TRY_ASSIGN(const branch_metadata found, branch(name));
    return resolved_name{found.timeline, std::string(name), std::nullopt};
  }
  if (tags_.contains(name)) {
    ZENITH_TRY_ASSIGN(const tag_metadata found, tag(name));
    return resolved_name{found.point.timeline, branch_of(found.point.timeline), found.point.at};
  }
  if (looks_like_timeline_id(name)) {
    ZENITH_TRY_ASSIGN(const timeline_id id, parse_timeline_id(name));
    ZENITH_TRY(timeline(id));
    return resolved_name{id, branch_of(id), std::nullopt};
  }
  return fail(
      errc::not_found,
      fmt::format("there is no branch or tag '{}'; zenith branch and zenith tag list them", name));
}

result<void> repository::check_new_name(std::string_view name) const {
  ZENITH_TRY(check_name(name));
  const auto refuse = [&](const char* kind, const std::string& taken) -> result<void> {
    if (taken == name)
      return fail(errc::already_exists, fmt::format("there is a {} '{}' already", kind, name));
    return fail(errc::already_exists,
                fmt::format("'{}' cannot be a name beside the {} '{}': one would be the other's "
                            "folder",
                            name, kind, taken));
  };
  for (const auto& entry : branches_)
    if (names_exclude(entry.first, name)) return refuse("branch", entry.first);
  for (const auto& entry : tags_)
    if (names_exclude(entry.first, name)) return refuse("tag", entry.first);
  return {};
}

/// Prepares for a name's file: folders above it are made, and one that earlier names have left in
/// its place, empty, is removed.
result<void> repository::make_way(const path& folder, std::string_view name) {
  const path target = folder / name;
  ZENITH_TRY_ASSIGN(const bool in_the_way, files_->exists(target));
  if (in_the_way) ZENITH_TRY(files_->remove_all(target));
  // The folder itself is durable since the repository was made.
  if (target.parent_path() == folder) return {};
  return create_directories_durably(*files_, target.parent_path());
}

result<void> repository::create_branch(std::string_view name, const timeline_metadata& timeline) {
  ZENITH_TRY(check_new_name(name));
  if (timelines_.contains(timeline.id))
    return fail(errc::already_exists,
                fmt::format("there is a timeline {} already", to_string(timeline.id)));
  if (timeline.ancestor) ZENITH_TRY(this->timeline(timeline.ancestor->timeline));
  const path folder = timeline_directory(timeline.id);
  ZENITH_TRY(files_->create_directories(folder));
  ZENITH_TRY(files_->sync_directory(timelines_directory()));
  ZENITH_TRY(write_metadata_file(*files_, folder / "timeline.json", encode(timeline)));
  std::erase(strays_, timeline.id);
  timelines_.emplace(timeline.id, timeline);

  const branch_metadata ref{timeline.id};
  ZENITH_TRY(make_way(branches_directory(), name));
  ZENITH_TRY(write_metadata_file(*files_, branches_directory() / name, encode(ref)));
  branches_.emplace(name, ref);
  return {};
}

result<void> repository::delete_branch(std::string_view name) {
  ZENITH_TRY(check_branch_may_go(name));
  ZENITH_TRY(remove_file_durably(*files_, branches_directory() / name));
  branches_.erase(branches_.find(name));
  return {};
}

result<void> repository::rename_branch(std::string_view from, std::string_view to) {
  const auto found = branches_.find(from);
  if (found == branches_.end())
    return fail(errc::not_found, fmt::format("there is no branch '{}'", from));
  ZENITH_TRY_ASSIGN(const branch_metadata ref, found->second);
  ZENITH_TRY(check_new_name(to));
  ZENITH_TRY(make_way(branches_directory(), to));
  // The new name first: a power cut in between leaves both, never none.
  ZENITH_TRY(write_metadata_file(*files_, branches_directory() / to, encode(ref)));
  branches_.emplace(to, ref);
  ZENITH_TRY(remove_file_durably(*files_, branches_directory() / from));
  branches_.erase(found);
  return {};
}

result<void> repository::create_tag(std::string_view name, const tag_metadata& tag) {
  ZENITH_TRY(check_new_name(name));
  ZENITH_TRY(timeline(tag.point.timeline));
  ZENITH_TRY(make_way(tags_directory(), name));
  ZENITH_TRY(write_metadata_file(*files_, tags_directory() / name, encode(tag)));
  tags_.emplace(name, tag);
  return {};
}

result<void> repository::delete_tag(std::string_view name) {
  const auto found = tags_.find(name);
  if (found == tags_.end()) return fail(errc::not_found, fmt::format("there is no tag '{}'", name));
  ZENITH_TRY(remove_file_durably(*files_, tags_directory() / name));
  tags_.erase(found);
  return {};
}

// ---- timelines

std::vector<timeline_metadata> repository::timelines() const {
  std::vector<timeline_metadata> out;
  for (const auto& entry : timelines_)
    if (entry.second) out.push_back(*entry.second);
  return out;
}

result<timeline_metadata> repository::timeline(const timeline_id& id) const {
  const auto found = timelines_.find(id);
  if (found == timelines_.end())
    return fail(errc::not_found, fmt::format("there is no timeline {}", to_string(id)));
  return found->second;
}

result<void> repository::update_timeline(const timeline_metadata& changed) {
  ZENITH_TRY(timeline(changed.id));
  ZENITH_TRY(write_metadata_file(*files_, timeline_directory(changed.id) / "timeline.json",
                                 encode(changed)));
  timelines_.at(changed.id) = changed;
  return {};
}

std::string repository::branch_of(const timeline_id& id) const {
  for (const auto& [name, entry] : branches_)
    if (entry && entry->timeline == id) return name;
  return {};
}

std::vector<timeline_id> repository::children_of(const timeline_id& id) const {
  std::vector<timeline_id> out;
  for (const auto& [child, entry] : timelines_)
    if (entry && entry->ancestor && entry->ancestor->timeline == id) out.push_back(child);
  return out;
}

result<timeline_id> repository::owner_of(const timeline_id& id, lsn at) const {
  timeline_id owner = id;
  while (true) {
    ZENITH_TRY_ASSIGN(const timeline_metadata found, timeline(owner));
    if (at >= found.start) return owner;
    if (!found.ancestor)
      return fail(
          errc::out_of_range,
          fmt::format("LSN {} lies before the beginning of the history of timeline {}, "
                      "which is kept from {} on",
                      zenith::to_string(at), to_string(id), zenith::to_string(found.start)));
    owner = found.ancestor->timeline;
  }
}

/// What a branch, tag or compute points to, and all ancestors of that.
std::set<timeline_id> repository::held_timelines() const {
  std::set<timeline_id> held;
  const auto hold = [&](timeline_id id) {
    while (held.insert(id).second) {
      const auto found = timelines_.find(id);
      if (found == timelines_.end() || !found->second || !found->second->ancestor) return;
      id = found->second->ancestor->timeline;
    }
  };
  for (const auto& entry : branches_)
    if (entry.second) hold(entry.second->timeline);
  for (const auto& entry : tags_)
    if (entry.second) hold(entry.second->point.timeline);
  for (const auto& entry : computes_)
    if (entry.second) hold(entry.second->timeline);
  return held;
}

result<void> repository::check_branch_may_go(std::string_view name) const {
  const auto found = branches_.find(name);
  if (found == branches_.end())
    return fail(errc::not_found, fmt::format("there is no branch '{}'", name));
  if (!found->second) return {};
  const std::set<timeline_id> held = held_timelines();
  for (const timeline_id& child : children_of(found->second->timeline)) {
    if (!held.contains(child)) continue;
    const std::string child_branch = branch_of(child);
    return fail(errc::conflict,
                fmt::format("branch '{}' has a child, {}: delete that first", name,
                            child_branch.empty() ? "timeline " + to_string(child)
                                                 : "branch '" + child_branch + "'"));
  }
  return {};
}

std::vector<timeline_id> repository::garbage_timelines() const {
  if (!damaged().empty()) return {};
  const std::set<timeline_id> held = held_timelines();
  std::vector<timeline_id> out;
  // Children first: each pass takes those whose children have all been taken.
  std::set<timeline_id> taken;
  for (bool more = true; more;) {
    more = false;
    for (const auto& entry : timelines_) {
      const timeline_id& id = entry.first;
      if (held.contains(id) || taken.contains(id)) continue;
      const auto children = children_of(id);
      if (!std::all_of(children.begin(), children.end(),
                       [&](const timeline_id& child) { return taken.contains(child); }))
        continue;
      taken.insert(id);
      out.push_back(id);
      more = true;
    }
  }
  out.insert(out.end(), strays_.begin(), strays_.end());
  return out;
}

result<void> repository::remove_timeline(const timeline_id& id) {
  const bool is_stray = std::find(strays_.begin(), strays_.end(), id) != strays_.end();
  if (!is_stray) {
    ZENITH_TRY(timeline(id));
    if (!children_of(id).empty() || held_timelines().contains(id))
      return fail(errc::conflict,
                  fmt::format("timeline {} is still needed and is not removed", to_string(id)));
  }
  ZENITH_TRY(files_->remove_all(timeline_directory(id)));
  ZENITH_TRY(files_->sync_directory(timelines_directory()));
  timelines_.erase(id);
  std::erase(strays_, id);
  return {};
}

// ---- computes

std::vector<compute_metadata> repository::computes() const {
  std::vector<compute_metadata> out;
  for (const auto& entry : computes_)
    if (entry.second) out.push_back(*entry.second);
  return out;
}

result<compute_metadata> repository::compute(std::string_view name) const {
  const auto found = computes_.find(name);
  if (found == computes_.end())
    return fail(errc::not_found,
                fmt::format("there is no compute '{}'; zenith pg list lists them", name));
  return found->second;
}

result<void> repository::write_compute(const compute_metadata& compute) {
  ZENITH_TRY(check_compute_name(compute.name));
  const path folder = compute_directory(compute.name);
  ZENITH_TRY(create_directories_durably(*files_, folder));
  ZENITH_TRY(write_metadata_file(*files_, folder / "compute.json", encode(compute)));
  computes_.insert_or_assign(compute.name, compute);
  return {};
}

result<void> repository::remove_compute(std::string_view name) {
  const auto found = computes_.find(name);
  if (found == computes_.end())
    return fail(errc::not_found,
                fmt::format("there is no compute '{}'; zenith pg list lists them", name));
  // Its metadata first: a folder without it is no compute, whatever is left in it.
  const path folder = compute_directory(name);
  ZENITH_TRY(remove_file_durably(*files_, folder / "compute.json"));
  ZENITH_TRY(files_->remove_all(folder));
  ZENITH_TRY(files_->sync_directory(computes_directory()));
  computes_.erase(found);
  return {};
}

}  // namespace zenith::repository
