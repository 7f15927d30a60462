// Which files a repository has, and what each of them is.
#include "storage/repository/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/io/durable_file.hpp"
#include "storage/layers/manifest.hpp"
#include "storage/repository/check_parts.hpp"
#include "storage/repository/compute_files.hpp"
#include "storage/repository/kept_configuration.hpp"
#include "storage/repository/names.hpp"
#include "storage/repository/node_file.hpp"
#include "storage/repository/secret.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {
namespace {

constexpr const char* metadata_file_name = "timeline.json";

class checker {
 public:
  checker(file_system& files, path directory, check_report& report, const check_progress& progress)
      : files_(files),
        directory_(std::move(directory)),
        found_(files, report, progress),
        registry_(files, directory_ / "timelines", {}) {}

  result<void> run() {
    read_as<std::string>(directory_ / "config.json", decode_config);
    check_secret();
    ZENITH_TRY(check_names(directory_ / "refs" / "branches", "", [this](const path& name) {
      read_as<branch_metadata>(name, decode_branch);
    }));
    ZENITH_TRY(check_names(directory_ / "refs" / "tags", "", [this](const path& name) {
      if (const auto tag = read_as<tag_metadata>(name, decode_tag)) needs(tag->point);
    }));
    ZENITH_TRY(check_computes());
    ZENITH_TRY(read_timelines());
    for (const auto& [id, timeline] : timelines_) {
      ZENITH_TRY(check_layers(id));
      ZENITH_TRY(check_folder(id));
      ZENITH_TRY(check_configuration(id));
      if (timeline.metadata)
        check_wal(found_, folder_of(id) / "wal", with_history(*timeline.metadata),
                  std::max(timeline.needed, timeline.in_files),
                  timeline.has_damaged_manifest ? lsn::max() : timeline.in_files);
    }
    for (const auto& [name, info] : named_)
      if (!seen_.contains(name))
        found_.damaged(registry_.path_of(name), 0, "it is missing, and a manifest names it");
    return {};
  }

 private:
  struct timeline {
    std::optional<timeline_metadata> metadata;
    lsn needed;    // the newest LSN that something durable refers to
    lsn in_files;  // what its manifest says
    bool has_damaged_manifest = false;
  };

  path folder_of(const timeline_id& id) const { return directory_ / "timelines" / to_string(id); }

  /// Any metadata file; nullopt where it is damaged, which is told.
  template <class T>
  std::optional<T> read_as(const path& name, result<T> (*decode)(std::string_view)) {
    if (!found_.open(name)) return std::nullopt;
    const auto text = read_metadata_file(files_, name);
    if (!text) {
      found_.damaged(name, 0, text.error().message);
      return std::nullopt;
    }
    auto decoded = decode(*text);
    if (decoded) return std::move(*decoded);
    found_.damaged(name, 0, decoded.error().message);
    return std::nullopt;
  }

  /// What is in a folder; nothing where it is not there.
  result<std::vector<directory_entry>> list(const path& folder) {
    auto entries = files_.list(folder);
    if (!entries && entries.error().code == errc::not_found) return std::vector<directory_entry>{};
    return entries;
  }

  void check_secret() {
    const path name = directory_ / secret_file_name;
    if (!found_.open(name)) return;
    if (const auto secret = read_secret(files_, name); !secret)
      found_.damaged(name, 0, secret.error().message);
  }

  result<void> check_names(const path& folder, const std::string& prefix,
                           const std::function<void(const path&)>& read) {
    ZENITH_TRY_ASSIGN(const auto entries, list(folder));
    for (const directory_entry& entry : entries) {
      const std::string name = prefix + entry.name;
      if (entry.is_directory)
        ZENITH_TRY(check_names(folder / entry.name, name + "/", read));
      else if (check_name(name))
        read(folder / entry.name);
      else
        found_.unreferenced(folder / entry.name);
    }
    return {};
  }

  result<void> check_computes() {
    const path folder = directory_ / "computes";
    ZENITH_TRY_ASSIGN(const auto entries, list(folder));
    for (const directory_entry& entry : entries) {
      const path name = folder / entry.name / "compute.json";
      ZENITH_TRY_ASSIGN(const bool there, files_.exists(name));
      if (!there) {
        found_.unreferenced(folder / entry.name);
        continue;
      }
      if (const auto compute = read_as<compute_metadata>(name, decode_compute))
        needs({compute->timeline, compute->at});
    }
    return {};
  }

  /// Something durable refers to this place: WAL up to there was on the disk.
  void needs(const timeline_point& point) {
    lsn& needed = timelines_[point.timeline].needed;
    needed = std::max(needed, point.at);
  }

  result<void> read_timelines() {
    ZENITH_TRY_ASSIGN(const auto entries, list(directory_ / "timelines"));
    std::set<timeline_id> there;
    for (const directory_entry& entry : entries) {
      const auto id = parse_timeline_id(entry.name);
      const path folder = directory_ / "timelines" / entry.name;
      ZENITH_TRY_ASSIGN(const bool is_timeline, files_.exists(folder / metadata_file_name));
      if (!entry.is_directory || !id || !is_timeline) {
        found_.unreferenced(folder);
        continue;
      }
      there.insert(*id);
      ZENITH_TRY(read_timeline(*id));
    }
    // What a name refers to and is not there is not reported here: its own error says so.
    std::erase_if(timelines_, [&](const auto& one) { return !there.contains(one.first); });
    return {};
  }

  result<void> read_timeline(const timeline_id& id) {
    const path folder = folder_of(id);
    auto metadata = read_as<timeline_metadata>(folder / metadata_file_name, decode_timeline);
    if (metadata && metadata->id != id) {
      found_.damaged(folder / metadata_file_name, 0,
                     "it is of timeline " + to_string(metadata->id));
      metadata.reset();
    }
    if (metadata && metadata->ancestor) needs(*metadata->ancestor);
    timeline& one = timelines_[id];
    // An earlier form of the file names the ancestors' pg_timelines as well.
    if (metadata && metadata->ancestor)
      std::erase_if(metadata->pg_timelines,
                    [&](const pg_timeline_start& began) { return began.start < metadata->start; });
    one.metadata = std::move(metadata);
    const path name = folder / layers::manifest_name;
    ZENITH_TRY_ASSIGN(const bool has_manifest, files_.exists(name));
    if (!has_manifest) return {};
    const auto manifest = read_as<layers::manifest>(name, layers::decode_manifest);
    one.has_damaged_manifest = !manifest;
    if (!manifest) return {};
    one.in_files = manifest->disk_consistent;
    for (const auto& level : manifest->map.levels())
      for (const layers::layer_slice& slice : level) named_.emplace(slice.file.name, slice.file);
    return {};
  }

  /// Its metadata with the pg_timelines of its whole history, as repository::timeline gives them.
  timeline_metadata with_history(timeline_metadata metadata) const {
    std::set<timeline_id> seen{metadata.id};
    lsn left = metadata.start;
    for (auto above = metadata.ancestor; above && seen.insert(above->timeline).second;) {
      const auto found = timelines_.find(above->timeline);
      if (found == timelines_.end() || !found->second.metadata) break;
      const timeline_metadata& parent = *found->second.metadata;
      std::vector<pg_timeline_start> own = parent.pg_timelines;
      std::erase_if(own, [&](const pg_timeline_start& one) {
        const bool is_first = !parent.ancestor && one == parent.pg_timelines.front();
        return one.start >= left && !is_first;
      });
      metadata.pg_timelines.insert(metadata.pg_timelines.begin(), own.begin(), own.end());
      left = std::min(left, parent.start);
      above = parent.ancestor;
    }
    return metadata;
  }

  result<void> check_layers(const timeline_id& id) {
    const path folder = folder_of(id) / "layers";
    ZENITH_TRY_ASSIGN(const auto entries, list(folder));
    for (const directory_entry& entry : entries) {
      const path name = folder / entry.name;
      const auto known = std::ranges::find_if(named_, [&](const auto& one) {
        return one.first.timeline == id && layers::file_name_of(one.first) == entry.name;
      });
      if (known != named_.end()) {
        seen_.insert(known->first);
        check_layer_file(found_, registry_, name, &known->second);
      } else if (entry.name == base_image_name) {
        check_layer_file(found_, registry_, name, nullptr);
      } else {
        found_.unreferenced(name);
      }
    }
    return {};
  }

  /// What lies in a timeline's folder besides what has its own check.
  result<void> check_folder(const timeline_id& id) {
    ZENITH_TRY_ASSIGN(const auto entries, list(folder_of(id)));
    static const std::set<std::string> known{metadata_file_name, layers::manifest_name, "layers",
                                             "wal", configuration_folder_name};
    for (const directory_entry& entry : entries)
      if (!known.contains(entry.name)) found_.unreferenced(folder_of(id) / entry.name);
    return {};
  }

  /// What is kept of its newest server's configuration.
  result<void> check_configuration(const timeline_id& id) {
    const path folder = folder_of(id) / configuration_folder_name;
    ZENITH_TRY_ASSIGN(const auto entries, list(folder));
    const path sums_name = folder / configuration_sums_name;
    const auto sums = read_configuration_sums(files_, folder);
    if (!sums) found_.damaged(sums_name, 0, sums.error().message);
    std::set<std::string, std::less<>> there;
    for (const directory_entry& entry : entries) {
      const bool is_kept =
          std::ranges::find(kept_configuration_files, entry.name) != kept_configuration_files.end();
      if (!is_kept && entry.name != configuration_sums_name) {
        found_.unreferenced(folder / entry.name);
        continue;
      }
      there.insert(entry.name);
      if (!found_.open(folder / entry.name) || !is_kept || !sums) continue;
      auto text = read_configuration_file(files_, folder, entry.name, *sums);
      // A node may have replaced both meanwhile.
      if (const auto now = read_configuration_sums(files_, folder); !text && now && *now != *sums)
        text = read_configuration_file(files_, folder, entry.name, *now);
      if (!text && text.error().code != errc::not_found)
        found_.damaged(folder / entry.name, 0, text.error().message);
    }
    if (!sums) return {};
    for (const auto& [name, sum] : *sums)
      if (!there.contains(name))
        found_.damaged(folder / name, 0,
                       "it is missing, and " + sums_name.string() + " expects it");
    return {};
  }

  file_system& files_;
  const path directory_;
  check_findings found_;
  layers::layer_files registry_;
  std::map<timeline_id, timeline> timelines_;
  std::map<layers::layer_name, layers::layer_file_info> named_;  // by any manifest
  std::set<layers::layer_name> seen_;
};

}  // namespace

std::unique_ptr<file> check_findings::open(const path& name) {
  if (progress_) progress_(name);
  auto opened = files_.open(name, open_mode::read);
  if (!opened && opened.error().code == errc::not_found) return nullptr;
  result<uint64_t> size = 0;
  if (opened) size = (*opened)->size_bytes();
  if (!opened || !size) {
    damaged(name, 0, opened ? size.error().message : opened.error().message);
    return nullptr;
  }
  ++report_.files;
  report_.bytes += *size;
  return std::move(*opened);
}

result<check_report> check_repository(file_system& files, const path& directory,
                                      const check_progress& progress) {
  ZENITH_TRY_ASSIGN(const bool there, files.exists(directory / "config.json"));
  if (!there)
    return fail(errc::not_found, fmt::format("there is no repository in {}: zenith init makes one",
                                             directory.string()));
  check_report report;
  ZENITH_TRY(checker(files, directory, report, progress).run());
  std::ranges::stable_sort(report.damaged, [](const damaged_place& a, const damaged_place& b) {
    return std::tie(a.file, a.offset) < std::tie(b.file, b.offset);
  });
  return report;
}

}  // namespace zenith::repository
