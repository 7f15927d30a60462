// Windows and names as what layers keep.
#include "storage/repository/retention_rule.hpp"

#include <algorithm>

namespace zenith::repository {

lsn horizon_of(const retention_window& window, lsn by_time, lsn end) {
  if (window.keeps_everything()) return {};
  const lsn by_bytes = window.wal_bytes < end.value() ? end - window.wal_bytes : lsn{};
  return std::min({by_time, by_bytes, end});
}

needed_states::needed_states(std::span<const timeline_metadata> timelines,
                             std::span<const needed_point> points) {
  std::map<timeline_id, const timeline_metadata*> known;
  for (const timeline_metadata& one : timelines) known.emplace(one.id, &one);
  for (const timeline_metadata& one : timelines)
    if (one.ancestor)
      by_timeline_[one.ancestor->timeline].push_back({one.ancestor->at, one.start_previous_record});
  for (const auto& [point, previous] : points) {
    timeline_id id = point.timeline;
    for (;;) {
      by_timeline_[id].push_back({point.at, previous});
      const auto found = known.find(id);
      if (found == known.end() || !found->second->ancestor || point.at >= found->second->start)
        break;
      id = found->second->ancestor->timeline;
    }
  }
  for (auto& [id, all] : by_timeline_) {
    // Of one LSN what is known comes first.
    std::ranges::sort(all, [](const remembered_place& a, const remembered_place& b) {
      return a.at != b.at ? a.at < b.at : a.previous > b.previous;
    });
    const auto repeated = std::ranges::unique(all, {}, &remembered_place::at);
    all.erase(repeated.begin(), repeated.end());
  }
}

needed_states needed_states::of(const repository& names, std::span<const needed_point> more) {
  std::vector<needed_point> points(more.begin(), more.end());
  for (const auto& [name, tag] : names.tags()) points.push_back({tag.point, tag.previous_record});
  for (const compute_metadata& one : names.computes())
    points.push_back({{one.timeline, one.at}, one.previous_record});
  needed_states all(names.timelines(), points);
  all.everything_ = !names.damaged().empty();
  return all;
}

std::span<const remembered_place> needed_states::places_of(const timeline_id& id) const {
  const auto found = by_timeline_.find(id);
  if (found == by_timeline_.end()) return {};
  return found->second;
}

layers::retention needed_states::retention_of(const timeline_id& id, lsn horizon) const {
  layers::retention kept;
  if (!everything_) kept.horizon = horizon;
  for (const remembered_place& one : places_of(id)) {
    if (kept.horizon.is_valid() && one.at >= kept.horizon) break;
    kept.points.push_back(one.at);
  }
  return kept;
}

}  // namespace zenith::repository
