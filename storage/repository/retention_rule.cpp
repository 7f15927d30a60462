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
                             std::span<const timeline_point> points) {
  std::map<timeline_id, const timeline_metadata*> known;
  for (const timeline_metadata& one : timelines) known.emplace(one.id, &one);
  for (const timeline_metadata& one : timelines)
    if (one.ancestor) by_timeline_[one.ancestor->timeline].push_back(one.ancestor->at);
  for (const timeline_point& point : points) {
    timeline_id id = point.timeline;
    for (;;) {
      by_timeline_[id].push_back(point.at);
      const auto found = known.find(id);
      if (found == known.end() || !found->second->ancestor || point.at >= found->second->start)
        break;
      id = found->second->ancestor->timeline;
    }
  }
  for (auto& [id, all] : by_timeline_) {
    std::ranges::sort(all);
    const auto repeated = std::ranges::unique(all);
    all.erase(repeated.begin(), repeated.end());
  }
}

needed_states needed_states::of(const repository& names, std::span<const timeline_point> more) {
  std::vector<timeline_point> points(more.begin(), more.end());
  for (const auto& [name, tag] : names.tags()) points.push_back(tag.point);
  for (const compute_metadata& one : names.computes()) points.push_back({one.timeline, one.at});
  needed_states all(names.timelines(), points);
  all.everything_ = !names.damaged().empty();
  return all;
}

layers::retention needed_states::retention_of(const timeline_id& id, lsn horizon) const {
  if (everything_ || !horizon.is_valid()) return {};
  layers::retention kept{horizon, {}};
  const auto found = by_timeline_.find(id);
  if (found == by_timeline_.end()) return kept;
  const std::vector<lsn>& all = found->second;
  kept.points.assign(all.begin(), std::ranges::lower_bound(all, horizon));
  return kept;
}

}  // namespace zenith::repository
