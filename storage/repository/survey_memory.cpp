// Remembering looks at closed timelines.
#include "storage/repository/survey_memory.hpp"

namespace zenith::repository {

survey_memory::rules survey_memory::rules_of(const closed_timeline& timeline) {
  const auto places = timeline.needed->places_of(timeline.metadata.id);
  return {timeline.window,
          timeline.wal_window,
          timeline.needed->knows_all(),
          {places.begin(), places.end()}};
}

bool survey_memory::is_due(const closed_timeline& timeline, timestamp now) const {
  const auto found = all_.find(timeline.metadata.id);
  if (found == all_.end() || !found->second.is_known) return true;
  const entry& known = found->second;
  return (known.next && *known.next <= now) || !(known.seen == rules_of(timeline));
}

void survey_memory::begin_look(const closed_timeline& timeline) {
  all_[timeline.metadata.id] = {rules_of(timeline), false, std::nullopt};
}

void survey_memory::note(const timeline_id& id, std::optional<timestamp> next) {
  const auto found = all_.find(id);
  if (found == all_.end()) return;
  found->second.is_known = true;
  found->second.next = next;
}

}  // namespace zenith::repository
