// A repository's beginning: its folders made, or all of its metadata read.
#include <fmt/format.h>

#include <functional>
#include <set>

#include "storage/io/durable_file.hpp"
#include "storage/repository/names.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::repository {
namespace {

/// Reads a metadata file and decodes it; the error names the file.
template <class T>
result<T> read_as(file_system& files, const path& name, result<T> (*decode)(std::string_view)) {
  ZENITH_TRY_ASSIGN(const std::string text, read_metadata_file(files, name));
  result<T> decoded = decode(text);
  if (!decoded)
    return fail(decoded.error().code,
                fmt::format("{}{}: {}", name.string(),
                            decoded.error().code == errc::corrupt ? " is damaged" : "",
                            decoded.error().message));
  return decoded;
}

/// The names of the files below a folder, relative to it. A file whose writing was cut off leaves
/// its temporary one (NAME~), which no branch or tag can be called.
result<void> collect_names(file_system& files, const path& folder, const std::string& prefix,
                           std::vector<std::string>& names) {
  ZENITH_TRY_ASSIGN(const auto entries, files.list(folder));
  for (const directory_entry& entry : entries) {
    const std::string name = prefix + entry.name;
    if (entry.is_directory)
      ZENITH_TRY(collect_names(files, folder / entry.name, name + "/", names));
    else if (check_name(name))
      names.push_back(name);
  }
  return {};
}

template <class T>
result<void> load_names(file_system& files, const path& folder,
                        result<T> (*decode)(std::string_view),
                        std::map<std::string, result<T>, std::less<>>& into) {
  std::vector<std::string> names;
  ZENITH_TRY(collect_names(files, folder, "", names));
  for (const std::string& name : names)
    into.emplace(name, read_as<T>(files, folder / name, decode));
  return {};
}

}  // namespace

result<repository> repository::create(file_system& files, path directory,
                                      std::string_view settings_json) {
  ZENITH_TRY_ASSIGN(const bool taken, files.exists(directory / "config.json"));
  if (taken)
    return fail(errc::already_exists,
                fmt::format("there is a repository in {} already", directory.string()));
  repository made(files, std::move(directory));
  for (const path& folder : {made.branches_directory(), made.tags_directory(),
                             made.timelines_directory(), made.computes_directory()})
    ZENITH_TRY(create_directories_durably(files, folder));
  // The configuration last: it is what makes the directory a repository.
  ZENITH_TRY(made.write_settings(settings_json));
  return made;
}

result<repository> repository::open(file_system& files, path directory) {
  ZENITH_TRY_ASSIGN(const bool there, files.exists(directory / "config.json"));
  if (!there)
    return fail(errc::not_found, fmt::format("there is no repository in {}: zenith init makes one",
                                             directory.string()));
  repository opened(files, std::move(directory));
  ZENITH_TRY(opened.load());
  return opened;
}

result<void> repository::load() {
  ZENITH_TRY_ASSIGN(settings_json_,
                    read_as<std::string>(*files_, directory_ / "config.json", decode_config));
  ZENITH_TRY(load_timelines());
  ZENITH_TRY(load_names<branch_metadata>(*files_, branches_directory(), decode_branch, branches_));
  ZENITH_TRY(load_names<tag_metadata>(*files_, tags_directory(), decode_tag, tags_));
  ZENITH_TRY(load_computes());
  index_names();
  return {};
}

void repository::index_names() {
  for (const auto& [name, branch] : branches_)
    if (branch) branches_of_[branch->timeline].insert(name);
  for (const auto& [id, timeline] : timelines_)
    if (timeline && timeline->ancestor) children_[timeline->ancestor->timeline].insert(id);
}

result<void> repository::load_timelines() {
  ZENITH_TRY_ASSIGN(const auto entries, files_->list(timelines_directory()));
  for (const directory_entry& entry : entries) {
    const auto id = parse_timeline_id(entry.name);
    if (!entry.is_directory || !id) continue;
    const path name = timelines_directory() / entry.name / "timeline.json";
    ZENITH_TRY_ASSIGN(const bool there, files_->exists(name));
    if (!there) {
      strays_.push_back(*id);
      continue;
    }
    auto read = read_as<timeline_metadata>(*files_, name, decode_timeline);
    if (read && read->id != *id)
      read = fail(errc::corrupt, fmt::format("{} is damaged: it is of timeline {}", name.string(),
                                             to_string(read->id)));
    timelines_.emplace(*id, std::move(read));
  }
  check_ancestors();
  return {};
}

/// A timeline whose history is not whole fails with the reason, as if its own file were damaged.
void repository::check_ancestors() {
  std::set<timeline_id> whole;
  for (const auto& entry : timelines_) {
    std::vector<timeline_id> chain;
    std::set<timeline_id> seen;
    std::optional<error> failure;
    for (timeline_id id = entry.first; !whole.contains(id);) {
      const auto found = timelines_.find(id);
      if (found == timelines_.end()) {
        failure = error{errc::corrupt,
                        fmt::format("{} is missing, which timeline {} descends from",
                                    timeline_directory(id).string(), to_string(entry.first))};
        break;
      }
      if (!found->second) {
        failure = found->second.error();
        break;
      }
      chain.push_back(id);
      if (!seen.insert(id).second) {
        failure = error{errc::corrupt, fmt::format("{} is damaged: the timeline descends from "
                                                   "itself",
                                                   timeline_directory(id).string())};
        break;
      }
      if (!found->second->ancestor) break;
      id = found->second->ancestor->timeline;
    }
    for (const timeline_id& id : chain) {
      if (failure)
        timelines_.at(id) = tl::unexpected<error>(*failure);
      else
        whole.insert(id);
    }
  }
}

result<void> repository::load_computes() {
  ZENITH_TRY_ASSIGN(const auto entries, files_->list(computes_directory()));
  for (const directory_entry& entry : entries) {
    const path name = computes_directory() / entry.name / "compute.json";
    if (!entry.is_directory || !check_compute_name(entry.name)) continue;
    ZENITH_TRY_ASSIGN(const bool there, files_->exists(name));
    if (!there) continue;
    auto read = read_as<compute_metadata>(*files_, name, decode_compute);
    if (read && read->name != entry.name)
      read = fail(errc::corrupt,
                  fmt::format("{} is damaged: it is of compute '{}'", name.string(), read->name));
    computes_.emplace(entry.name, std::move(read));
  }
  return {};
}

std::vector<error> repository::damaged() const {
  std::vector<error> out;
  const auto collect = [&](const auto& table) {
    for (const auto& entry : table)
      if (!entry.second) out.push_back(entry.second.error());
  };
  collect(timelines_);
  collect(branches_);
  collect(tags_);
  collect(computes_);
  return out;
}

}  // namespace zenith::repository
