// The supervisor's timelines: which actor each has, and where those end that have none.
#include <spdlog/spdlog.h>

#include "actors/errors.hpp"
#include "actors/layer_settings.hpp"
#include "actors/supervisor.hpp"
#include "actors/timeline.hpp"
#include "storage/repository/stored_end.hpp"

namespace zenith::actors {

result<bool> supervisor::is_untouched(const repository::timeline_metadata& timeline) const {
  if (!timeline.ancestor) return false;
  for (const auto& written : {names().timeline_directory(timeline.id) / layers::manifest_name,
                              names().wal_directory(timeline.id)}) {
    ZENITH_TRY_ASSIGN(const bool there, parameters_.files->exists(written));
    if (there) return false;
  }
  return true;
}

timeline_actor supervisor::spawn_untouched(const repository::timeline_metadata& timeline) {
  untouched_parameters how;
  how.node = surroundings_;
  how.id = timeline.id;
  how.start = timeline.start;
  how.start_previous_record = timeline.start_previous_record;
  how.segment_size_bytes = timeline.segment_size_bytes;
  return spawn<caf::monitored>(untouched_timeline, how);
}

result<timeline_actor> supervisor::timeline_of(const timeline_id& id, timeline_use use) {
  if (const auto found = timelines_.find(id);
      found != timelines_.end() && (use == timeline_use::read || !found->second.is_untouched))
    return found->second.actor;
  if (shutting_down_) return fail(errc::unavailable, "the node is stopping");
  if (removing_.contains(id))
    return fail(errc::not_found, "timeline " + to_string(id) + " is being removed");
  ZENITH_TRY_ASSIGN(const auto* stored, names().stored_timeline(id));
  if (use == timeline_use::read) {
    ZENITH_TRY_ASSIGN(const bool untouched, is_untouched(*stored));
    if (untouched) {
      const timeline_actor made = spawn_untouched(*stored);
      timelines_[id] = {made, untouched_status(id, stored->start), true};
      return made;
    }
  }
  ZENITH_TRY_ASSIGN(auto metadata, names().timeline(id));
  timeline_parameters how;
  timeline_actor parent;
  ZENITH_TRY_ASSIGN(how.store.parent, base_from_files(metadata));
  if (metadata.ancestor && !how.store.parent) {
    ZENITH_TRY_ASSIGN(const timeline_id from, names().inherits_from(id));
    ZENITH_TRY_ASSIGN(parent, timeline_of(from));
  }
  how.store.files = parameters_.files;
  how.store.directory = names().timeline_directory(id);
  how.store.metadata = metadata;
  how.store.cache = cache_;
  how.store.registry = registry_;
  how.store.limits = layer_limits_of(parameters_.settings);
  how.store.needed = kept_of(id)->needed;
  how.store.keep = how.store.needed->retention_of(id, lsn::max());
  surveys_.forget(id);
  how.layers = layer_parameters_of();
  if (const auto before = ending_.find(id); before != ending_.end()) how.before = before->second;
  how.arrival_timeout = parameters_.settings.duration("page_request_timeout");
  how.check_images = parameters_.settings.flag("check_consistency_images");
  const timeline_actor made = spawn<caf::detached + caf::monitored>(timeline, how, parent);
  timelines_[id] = {made, {}};
  rested_.erase(id);
  ends_.erase(id);
  return made;
}

void supervisor::let_go(std::map<timeline_id, timeline_entry>::iterator open) {
  if (!open->second.is_untouched) ending_[open->first] = open->second.actor;
  timelines_.erase(open);
}

void supervisor::end_timeline(const timeline_id& id, std::function<void()> done) {
  if (const auto open = timelines_.find(id); open != timelines_.end()) let_go(open);
  const auto ending = ending_.find(id);
  if (ending == ending_.end()) return done();
  request(ending->second, caf::infinite, close_atom::value, closing::discard)
      .then([done](lsn) { done(); }, [done](caf::error&) { done(); });
}

caf::result<inherited_from> supervisor::source_of(const std::string& text) {
  const auto id = parse_timeline_id(text);
  if (!id) return to_caf(id.error());
  auto metadata = names().timeline(*id);
  if (!metadata) return to_caf(metadata.error());
  const auto from = names().inherits_from(*id);
  if (!from) return to_caf(from.error());
  const auto source = timeline_of(*from);
  if (!source) return to_caf(source.error());
  return inherited_from{
      *source, std::make_shared<const repository::timeline_metadata>(std::move(*metadata))};
}

result<branch_base_ptr> supervisor::base_from_files(
    const repository::timeline_metadata& timeline) const {
  if (!timeline.ancestor) return nullptr;
  ZENITH_TRY_ASSIGN(
      const bool has_layers,
      parameters_.files->exists(names().timeline_directory(timeline.id) / layers::manifest_name));
  if (!has_layers) return nullptr;
  auto base = std::make_shared<repository::branch_base>();
  base->from = timeline.start;
  ZENITH_TRY_ASSIGN(base->wal, names().wal_before(timeline.id));
  const repository::timeline_metadata* root = &timeline;
  while (root->ancestor) {
    ZENITH_TRY_ASSIGN(root, names().stored_timeline(root->ancestor->timeline));
  }
  base->since = root->created_at;
  return branch_base_ptr{base};
}

lsn supervisor::end_of(const repository::timeline_metadata& timeline) {
  if (const auto known = ends_.find(timeline.id); known != ends_.end()) return known->second;
  const auto untouched = is_untouched(timeline);
  result<lsn> found = timeline.start;
  if (!untouched || !*untouched) {
    auto whole = names().timeline(timeline.id);
    found = whole ? repository::stored_end(*parameters_.files,
                                           names().timeline_directory(timeline.id), *whole)
                  : result<lsn>(tl::unexpected<error>(whole.error()));
  }
  if (!found) {
    spdlog::error("timeline {}: its end is not known: {}", to_string(timeline.id),
                  found.error().message);
    return timeline.start;
  }
  ends_[timeline.id] = *found;
  return *found;
}

}  // namespace zenith::actors
