// Windows and names as what layers keep.
#include "storage/repository/retention_rule.hpp"

#include <algorithm>

#include "storage/layers/transaction_times.hpp"

namespace zenith::repository {

lsn horizon_of(const retention_window& window, lsn by_time, lsn end) {
  if (window.keeps_everything()) return {};
  const lsn by_bytes = window.wal_bytes < end.value() ? end - window.wal_bytes : lsn{};
  return std::min({by_time, by_bytes, end});
}

result<lsn> window_begin(const known_history& history, const retention_window& window,
                         timestamp now) {
  if (window.keeps_everything()) return lsn{};
  lsn by_time = history.end;
  if (window.time_us > 0) {
    const int64_t known_us = now.microseconds() - history.since.microseconds();
    if (known_us < 0 || window.time_us > static_cast<uint64_t>(known_us)) return lsn{};
    const int64_t begin = now.microseconds() - static_cast<int64_t>(window.time_us);
    ZENITH_TRY_ASSIGN(const auto later, layers::first_later_than(history.layers, begin));
    if (later) by_time = later->start;
  }
  return horizon_of(window, by_time, history.end);
}

result<lsn> horizon_in(const known_history& history, const retention_window& window,
                       timestamp now) {
  ZENITH_TRY_ASSIGN(const lsn begin, window_begin(history, window, now));
  return begin.is_valid() ? std::max(begin, history.oldest) : begin;
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
