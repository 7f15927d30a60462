// The repository's timelines: made, changed, found, and which of them nothing needs.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/io/durable_file.hpp"
#include "storage/layers/manifest.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::repository {
result<void> repository::create_branch(std::string_view name, const timeline_metadata& timeline) {
  ZENITH_TRY(check_new_name(name));
  if (timelines_.contains(timeline.id))
    return fail(errc::already_exists,
                fmt::format("there is a timeline {} already", to_string(timeline.id)));
  if (timeline.ancestor) ZENITH_TRY(stored_timeline(timeline.ancestor->timeline));
  const path folder = timeline_directory(timeline.id);
  ZENITH_TRY(files_->create_directories(folder));
  ZENITH_TRY(files_->sync_directory(timelines_directory()));
  ZENITH_TRY_ASSIGN(const timeline_metadata stored, with_own_pg_timelines(timeline));
  ZENITH_TRY(write_metadata_file(*files_, folder / "timeline.json", encode(stored)));
  std::erase(strays_, timeline.id);
  timelines_.emplace(timeline.id, stored);
  ++changes_;
  if (timeline.ancestor) children_[timeline.ancestor->timeline].insert(timeline.id);

  const branch_metadata ref{timeline.id};
  ZENITH_TRY(make_way(branches_directory(), name));
  ZENITH_TRY(write_metadata_file(*files_, branches_directory() / name, encode(ref)));
  add_branch(name, ref);
  return {};
}

std::vector<timeline_metadata> repository::timelines() const {
  std::vector<timeline_metadata> out;
  for (const auto& entry : timelines_)
    if (entry.second) out.push_back(*entry.second);
  return out;
}

result<const timeline_metadata*> repository::stored_timeline(const timeline_id& id) const {
  const auto found = timelines_.find(id);
  if (found == timelines_.end())
    return fail(errc::not_found, fmt::format("there is no timeline {}", to_string(id)));
  if (!found->second) return tl::unexpected<error>(found->second.error());
  return &*found->second;
}

// From the newest to the oldest: of each ancestor, what had begun when the history left it. A
// root's first one counts always.
result<std::vector<pg_timeline_start>> repository::inherited_pg_timelines(
    const timeline_metadata& of) const {
  std::vector<pg_timeline_start> newest_first;
  const timeline_metadata* from = &of;
  for (lsn left = of.start; from->ancestor; left = std::min(left, from->start)) {
    ZENITH_TRY_ASSIGN(from, stored_timeline(from->ancestor->timeline));
    const auto& theirs = from->pg_timelines;
    for (auto one = theirs.rbegin(); one != theirs.rend(); ++one) {
      const bool counts = one->start < left || (!from->ancestor && std::next(one) == theirs.rend());
      // An earlier form of the file names the ancestors' as well.
      const bool is_again = !newest_first.empty() && one->number >= newest_first.back().number &&
                            std::ranges::find(newest_first, *one) != newest_first.end();
      if (counts && !is_again) newest_first.push_back(*one);
    }
  }
  return std::vector<pg_timeline_start>(newest_first.rbegin(), newest_first.rend());
}

result<timeline_metadata> repository::with_own_pg_timelines(timeline_metadata timeline) const {
  ZENITH_TRY_ASSIGN(const auto inherited, inherited_pg_timelines(timeline));
  std::erase_if(timeline.pg_timelines, [&](const pg_timeline_start& one) {
    return std::ranges::find(inherited, one) != inherited.end();
  });
  return timeline;
}

result<timeline_metadata> repository::timeline(const timeline_id& id) const {
  ZENITH_TRY_ASSIGN(const timeline_metadata* stored, stored_timeline(id));
  ZENITH_TRY_ASSIGN(auto all, inherited_pg_timelines(*stored));
  for (const pg_timeline_start& one : stored->pg_timelines)
    if (std::ranges::find(all, one) == all.end()) all.push_back(one);
  const auto out_of_order = [](const pg_timeline_start& a, const pg_timeline_start& b) {
    return a.number >= b.number || a.start > b.start;
  };
  if (all.empty() || std::ranges::adjacent_find(all, out_of_order) != all.end())
    return fail(errc::corrupt,
                fmt::format("{} is damaged: its pg_timelines do not follow its ancestors'",
                            (timeline_directory(id) / "timeline.json").string()));
  timeline_metadata whole = *stored;
  whole.pg_timelines = std::move(all);
  return whole;
}

result<void> repository::update_timeline(const timeline_metadata& changed) {
  ZENITH_TRY(stored_timeline(changed.id));
  ZENITH_TRY_ASSIGN(const timeline_metadata stored, with_own_pg_timelines(changed));
  ZENITH_TRY(write_metadata_file(*files_, timeline_directory(changed.id) / "timeline.json",
                                 encode(stored)));
  timelines_.at(changed.id) = stored;
  return {};
}

std::string repository::branch_of(const timeline_id& id) const {
  const auto names = branches_of_.find(id);
  return names == branches_of_.end() ? std::string() : *names->second.begin();
}

std::vector<timeline_id> repository::children_of(const timeline_id& id) const {
  const auto found = children_.find(id);
  if (found == children_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

result<timeline_id> repository::owner_of(const timeline_id& id, lsn at) const {
  timeline_id owner = id;
  while (true) {
    ZENITH_TRY_ASSIGN(const timeline_metadata* found, stored_timeline(owner));
    if (at >= found->start) return owner;
    if (!found->ancestor)
      return fail(
          errc::out_of_range,
          fmt::format("LSN {} lies before the beginning of the history of timeline {}, "
                      "which is kept from {} on",
                      zenith::to_string(at), to_string(id), zenith::to_string(found->start)));
    owner = found->ancestor->timeline;
  }
}

result<std::shared_ptr<const wal::stored_wal>> repository::wal_before(const timeline_id& id) const {
  // Down to the first part that somebody holds already; then up again, each part on the one before.
  std::vector<const timeline_metadata*> missing;
  std::shared_ptr<const wal::stored_wal> made;
  ZENITH_TRY_ASSIGN(const timeline_metadata* one, stored_timeline(id));
  while (one->ancestor) {
    if (const auto known = wal_before_.find(one->id); known != wal_before_.end())
      made = known->second.lock();
    if (made) break;
    missing.push_back(one);
    ZENITH_TRY_ASSIGN(one, stored_timeline(one->ancestor->timeline));
  }
  for (auto child = missing.rbegin(); child != missing.rend(); ++child) {
    ZENITH_TRY_ASSIGN(const auto parent, stored_timeline((*child)->ancestor->timeline));
    wal::stored_wal::parameters how;
    how.files = files_;
    how.directory = wal_directory(parent->id);
    how.segment_size_bytes = parent->segment_size_bytes;
    for (const pg_timeline_start& begun : parent->pg_timelines)
      how.history.push_back({begun.number, begun.start});
    // A root keeps the record that its base ends with.
    how.begin = parent->ancestor ? parent->start : parent->start_previous_record;
    how.end = (*child)->start;
    how.before = std::move(made);
    made = std::make_shared<const wal::stored_wal>(std::move(how));
    wal_before_[(*child)->id] = made;
  }
  return made;
}

result<timeline_id> repository::inherits_from(const timeline_id& id) const {
  ZENITH_TRY_ASSIGN(const timeline_metadata* one, stored_timeline(id));
  if (!one->ancestor)
    return fail(errc::invalid_argument, fmt::format("timeline {} has no ancestor", to_string(id)));
  for (;;) {
    ZENITH_TRY_ASSIGN(one, stored_timeline(one->ancestor->timeline));
    if (!one->ancestor) return one->id;
    for (const path& written :
         {timeline_directory(one->id) / layers::manifest_name, wal_directory(one->id)}) {
      ZENITH_TRY_ASSIGN(const bool there, files_->exists(written));
      if (there) return one->id;
    }
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
  // What a garbage timeline was made into is garbage as well; turned over, children come first.
  std::vector<timeline_id> out;
  for (const auto& [id, timeline] : timelines_)
    if (!held.contains(id) && (!timeline->ancestor || held.contains(timeline->ancestor->timeline)))
      out.push_back(id);
  for (size_t next = 0; next < out.size(); ++next) {
    const std::vector<timeline_id> children = children_of(out[next]);
    out.insert(out.end(), children.begin(), children.end());
  }
  std::ranges::reverse(out);
  out.insert(out.end(), strays_.begin(), strays_.end());
  return out;
}

result<void> repository::remove_timeline(const timeline_id& id) {
  const bool is_stray = std::find(strays_.begin(), strays_.end(), id) != strays_.end();
  if (!is_stray) {
    ZENITH_TRY(stored_timeline(id));
    if (!children_of(id).empty() || held_timelines().contains(id))
      return fail(errc::conflict,
                  fmt::format("timeline {} is still needed and is not removed", to_string(id)));
  }
  ZENITH_TRY(files_->remove_all(timeline_directory(id)));
  ZENITH_TRY(files_->sync_directory(timelines_directory()));
  if (const auto found = timelines_.find(id); found != timelines_.end()) {
    if (found->second && found->second->ancestor)
      children_[found->second->ancestor->timeline].erase(id);
    timelines_.erase(found);
  }
  ++changes_;
  children_.erase(id);
  wal_before_.erase(id);
  std::erase(strays_, id);
  return {};
}

}  // namespace zenith::repository
