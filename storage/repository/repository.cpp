// The repository's names and computes: changes and questions.
#include "storage/repository/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
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

/// The name in a table that excludes this one (names_exclude); nullptr where none does.
const std::string* excluded_by(const auto& table, std::string_view name) {
  // The name itself and what would be its folders.
  for (size_t end = name.find('/');; end = name.find('/', end + 1)) {
    if (const auto found = table.find(name.substr(0, end)); found != table.end())
      return &found->first;
    if (end == std::string_view::npos) break;
  }
  // The first of those whose folder it would be.
  const std::string folder = std::string(name) + "/";
  const auto inside = table.lower_bound(folder);
  return inside != table.end() && inside->first.starts_with(folder) ? &inside->first : nullptr;
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
    ZENITH_TRY(stored_timeline(id));
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
  if (const auto* taken = excluded_by(branches_, name)) return refuse("branch", *taken);
  if (const auto* taken = excluded_by(tags_, name)) return refuse("tag", *taken);
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

void repository::add_branch(std::string_view name, const branch_metadata& branch) {
  branches_.emplace(name, branch);
  branches_of_[branch.timeline].emplace(name);
}

void repository::remove_branch(std::string_view name) {
  const auto found = branches_.find(name);
  if (found->second) {
    const auto names = branches_of_.find(found->second->timeline);
    names->second.erase(found->first);
    if (names->second.empty()) branches_of_.erase(names);
  }
  branches_.erase(found);
}

result<void> repository::delete_branch(std::string_view name) {
  ZENITH_TRY(check_branch_may_go(name));
  ZENITH_TRY(remove_file_durably(*files_, branches_directory() / name));
  remove_branch(name);
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
  add_branch(to, ref);
  ZENITH_TRY(remove_file_durably(*files_, branches_directory() / from));
  remove_branch(from);
  return {};
}

result<void> repository::create_tag(std::string_view name, const tag_metadata& tag) {
  ZENITH_TRY(check_new_name(name));
  ZENITH_TRY(stored_timeline(tag.point.timeline));
  ZENITH_TRY(make_way(tags_directory(), name));
  ZENITH_TRY(write_metadata_file(*files_, tags_directory() / name, encode(tag)));
  tags_.emplace(name, tag);
  ++changes_;
  return {};
}

result<void> repository::delete_tag(std::string_view name) {
  const auto found = tags_.find(name);
  if (found == tags_.end()) return fail(errc::not_found, fmt::format("there is no tag '{}'", name));
  ZENITH_TRY(remove_file_durably(*files_, tags_directory() / name));
  tags_.erase(found);
  ++changes_;
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
  ++changes_;
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
  ++changes_;
  return {};
}

}  // namespace zenith::repository
