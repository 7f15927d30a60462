// repository: the names, timelines and computes of one directory, kept on disk and in memory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/wal/stored_wal.hpp"

namespace zenith::repository {

/// What a NAME in a point stands for. `branch` is empty where no branch points to the timeline.
struct resolved_name {
  timeline_id timeline;
  std::string branch;
  /// A tag's LSN; none where the name stands for the timeline's end.
  std::optional<lsn> at;
};

/// The sole writer of a repository's metadata, owned by one thread. Each change is durable when its
/// call returns, and memory shows it only then. A file that is damaged keeps its name taken, fails
/// whatever asks for it with an error that names it, and disturbs nothing else.
class repository {
 public:
  /// Makes the folders and config.json (`settings_json`: the object that config/ writes). The
  /// directory may exist, but holds no repository. Errors: already_exists, io.
  static result<repository> create(file_system& files, path directory,
                                   std::string_view settings_json);
  /// Reads every name, timeline and compute. Errors: not_found (no repository there), unsupported
  /// (another format), corrupt (config.json), io.
  static result<repository> open(file_system& files, path directory);

  const path& directory() const { return directory_; }
  path timeline_directory(const timeline_id& id) const;
  path wal_directory(const timeline_id& id) const { return timeline_directory(id) / "wal"; }
  path layers_directory(const timeline_id& id) const { return timeline_directory(id) / "layers"; }
  path compute_directory(std::string_view name) const;

  /// Rises whenever a timeline, a tag or a compute comes, changes or goes.
  uint64_t changes() const { return changes_; }

  /// What is damaged: one error a file, each naming it.
  std::vector<error> damaged() const;

  /// The settings, a JSON object.
  const std::string& settings_json() const { return settings_json_; }
  result<void> write_settings(std::string_view settings_json);

  /// Branches and tags, by name. Errors of the single ones: not_found, corrupt.
  std::vector<std::pair<std::string, branch_metadata>> branches() const;
  std::vector<std::pair<std::string, tag_metadata>> tags() const;
  result<branch_metadata> branch(std::string_view name) const;
  result<tag_metadata> tag(std::string_view name) const;
  /// A branch, a tag, or a timeline's id in hex. Errors: not_found, corrupt.
  result<resolved_name> resolve(std::string_view name) const;
  /// Whether a new branch or tag may have this name. Errors: invalid_argument, already_exists.
  result<void> check_new_name(std::string_view name) const;

  /// Writes the timeline, then the name: a cut in between leaves garbage, never a dangling name.
  /// Errors: those of check_new_name, already_exists (the id), not_found (the ancestor), io.
  result<void> create_branch(std::string_view name, const timeline_metadata& timeline);
  /// Errors: not_found; conflict where another branch, or what a tag or compute holds, was made
  /// from it.
  result<void> check_branch_may_go(std::string_view name) const;
  /// Removes the name; the timeline's files stay until garbage_timelines names it. Errors: those of
  /// check_branch_may_go, io.
  result<void> delete_branch(std::string_view name);
  /// Errors: not_found, and those of check_new_name.
  result<void> rename_branch(std::string_view from, std::string_view to);
  /// Errors: those of check_new_name, not_found (the timeline), io.
  result<void> create_tag(std::string_view name, const tag_metadata& tag);
  result<void> delete_tag(std::string_view name);

  /// All, each with only those of its pg_timelines that began on itself.
  std::vector<timeline_metadata> timelines() const;
  /// One, with all the pg_timelines of its history.
  result<timeline_metadata> timeline(const timeline_id& id) const;
  /// One as it is stored: with its own pg_timelines. Valid until something changes. Errors:
  /// not_found, corrupt.
  result<const timeline_metadata*> stored_timeline(const timeline_id& id) const;
  /// Replaces what can change (pg_timelines, state). Errors: not_found, io.
  result<void> update_timeline(const timeline_metadata& timeline);
  /// The branch that points to a timeline; empty where none does.
  std::string branch_of(const timeline_id& id) const;
  std::vector<timeline_id> children_of(const timeline_id& id) const;
  /// The timeline of this one's history whose own WAL holds what ends at `at`: itself where
  /// at >= its start, else the nearest ancestor's. Errors: not_found, corrupt, out_of_range (before
  /// the root's start).
  result<timeline_id> owner_of(const timeline_id& id, lsn at) const;

  /// All WAL before a timeline's start, from its ancestors' files; null for a root. Ancestors need
  /// not be open; those who hold one of a chain share it. Errors: not_found, corrupt.
  result<std::shared_ptr<const wal::stored_wal>> wal_before(const timeline_id& id) const;
  /// Whose layers, as of a timeline's start, are all that it inherits: the nearest ancestor that
  /// has written something (what lies between has nothing of its own), else the root. Errors:
  /// not_found, corrupt, invalid_argument (a root inherits nothing), io.
  result<timeline_id> inherits_from(const timeline_id& id) const;

  /// Timelines that no branch, tag, compute or needed child holds, children before parents, and
  /// folders that hold no timeline; nothing while a file is damaged, which might need one.
  std::vector<timeline_id> garbage_timelines() const;
  /// Removes a timeline that garbage_timelines names, with all its files. Error: conflict.
  result<void> remove_timeline(const timeline_id& id);

  std::vector<compute_metadata> computes() const;
  result<compute_metadata> compute(std::string_view name) const;
  /// Makes or replaces it, with its folder.
  result<void> write_compute(const compute_metadata& compute);
  /// Removes its folder with all that is in it. Error: not_found.
  result<void> remove_compute(std::string_view name);

 private:
  template <class T>
  using table = std::map<std::string, result<T>, std::less<>>;

  repository(file_system& files, path directory)
      : files_(&files), directory_(std::move(directory)) {}

  path branches_directory() const { return directory_ / "refs" / "branches"; }
  path tags_directory() const { return directory_ / "refs" / "tags"; }
  path timelines_directory() const { return directory_ / "timelines"; }
  path computes_directory() const { return directory_ / "computes"; }

  result<void> load();
  result<void> load_timelines();
  result<void> load_computes();
  void check_ancestors();
  void index_names();
  result<void> make_way(const path& folder, std::string_view name);
  /// Those of its ancestors that had begun when its history left them, oldest first.
  result<std::vector<pg_timeline_start>> inherited_pg_timelines(const timeline_metadata& of) const;
  result<timeline_metadata> with_own_pg_timelines(timeline_metadata timeline) const;
  std::set<timeline_id> held_timelines() const;
  void add_branch(std::string_view name, const branch_metadata& branch);
  void remove_branch(std::string_view name);

  file_system* files_;
  path directory_;
  std::string settings_json_;
  table<branch_metadata> branches_;
  table<tag_metadata> tags_;
  table<compute_metadata> computes_;
  std::map<timeline_id, result<timeline_metadata>> timelines_;
  // Made from the above: with ten thousand branches nothing may look at all of them.
  std::map<timeline_id, std::set<std::string>> branches_of_;
  std::map<timeline_id, std::set<timeline_id>> children_;
  mutable std::map<timeline_id, std::weak_ptr<const wal::stored_wal>> wal_before_;
  /// Folders without a timeline.json.
  std::vector<timeline_id> strays_;
  uint64_t changes_ = 0;
};

}  // namespace zenith::repository
