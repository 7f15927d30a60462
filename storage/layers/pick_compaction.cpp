// Level scores, the slices of a merge of a level from 1 on, and where its keys end.
#include "storage/layers/pick_compaction.hpp"

#include <algorithm>

#include "storage/layers/collected.hpp"
#include "storage/layers/layer_map_checks.hpp"
#include "storage/layers/picker.hpp"

namespace zenith::layers {
namespace {

bool is_whole(const layer_slice& slice) {
  return slice.first == slice.file.first_key && slice.last == slice.file.last_key;
}

}  // namespace

picker::size picker::size_of(const layer_level& level) const {
  std::vector<const layer_file_info*> files;
  for (const layer_slice& slice : level) files.push_back(&slice.file);
  const auto by_name = [](const layer_file_info* one) -> const layer_name& { return one->name; };
  std::ranges::sort(files, {}, by_name);
  size found;
  for (size_t i = 0; i < files.size(); ++i) {
    if (i > 0 && files[i]->name == files[i - 1]->name) continue;
    found.all += files[i]->size_bytes;
    if (files[i]->name.timeline == owner_) found.own += files[i]->size_bytes;
  }
  return found;
}

uint64_t picker::limit_of(unsigned level) const {
  uint64_t limit = limits_.level1_bytes;
  for (unsigned i = 1; i < level; ++i)
    limit = limit > UINT64_MAX / limits_.level_factor ? UINT64_MAX : limit * limits_.level_factor;
  return limit;
}

/// The next level that is not empty, or else the last one.
unsigned picker::level_below(unsigned level) const {
  unsigned below = level + 1;
  while (below + 1 < layer_map::level_count && map_.levels()[below].empty()) ++below;
  return below;
}

unsigned picker::target_of(unsigned level) const {
  const unsigned below = level_below(level);
  return sizes_[below].all <= limit_of(level + 1) ? below : level + 1;
}

uint64_t picker::allowed_in(unsigned level) const {
  const uint64_t part_of_below = sizes_[level_below(level)].all / limits_.level_factor;
  return std::clamp(part_of_below, limits_.level1_bytes, limit_of(level));
}

double picker::score_of(unsigned level) const {
  const uint64_t limit = allowed_in(level);
  if (sizes_[level].own < limit / limits_.level_factor) return 0;
  return static_cast<double>(sizes_[level].all) / static_cast<double>(limit);
}

std::vector<unsigned> picker::targets_of(unsigned level) const {
  const unsigned best = target_of(level);
  // An empty level takes what the best one's unreadable parts keep away.
  if (unreadable_.empty() || best == level + 1) return {best};
  return {best, level + 1};
}

result<std::optional<compaction_plan>> picker::most_due() const {
  const std::optional<compaction_plan> of_level0 = level0_plan();
  std::vector<std::pair<double, unsigned>> due;  // score and level
  if (of_level0)
    due.emplace_back(static_cast<double>(map_.levels()[0].size()) / limits_.level0_merge_at, 0);
  for (unsigned i = 1; i + 1 < layer_map::level_count; ++i)
    if (score_of(i) > 1) due.emplace_back(score_of(i), i);
  std::ranges::stable_sort(due, std::greater{}, &std::pair<double, unsigned>::first);
  for (const auto& [score, level] : due) {
    if (level == 0) return of_level0;
    for (const unsigned target : targets_of(level)) {
      ZENITH_TRY_ASSIGN(auto plan, downward(level, target));
      if (plan) return plan;
    }
  }
  return std::nullopt;
}

void picker::add_overlapping(compaction_plan& plan, unsigned level) const {
  const std::vector<layer_slice>& slices = map_.levels()[level];
  const auto [begin, end] = overlapping(slices, plan.first, plan.last);
  plan.inputs.insert(plan.inputs.end(), slices.begin() + static_cast<ptrdiff_t>(begin),
                     slices.begin() + static_cast<ptrdiff_t>(end));
}

result<std::optional<compaction_plan>> picker::downward(unsigned level, unsigned target) const {
  const std::vector<layer_slice>& upper = map_.levels()[level];
  const std::vector<layer_slice>& lower = map_.levels()[target];
  std::vector<key_range> unreadable;
  for (const layer_slice& one : upper) unreadable_.add_of(one, unreadable);
  for (const layer_slice& one : lower) unreadable_.add_of(one, unreadable);

  size_t begin = 0;
  if (const std::optional<key>& place = map_.places()[level]; place) {
    const auto found = std::ranges::upper_bound(upper, *place, {}, &layer_slice::first);
    if (found != upper.end()) begin = static_cast<size_t>(found - upper.begin());
  }
  // The first slice from there on of which something can be merged, and up to where.
  const key end =
      lower.empty() ? upper.back().last : std::max(upper.back().last, lower.back().last);
  std::optional<key_range> within;
  for (size_t tried = 0;; ++tried, begin = (begin + 1) % upper.size()) {
    if (tried == upper.size()) return std::nullopt;
    within = first_free(unreadable, upper[begin].first, end);
    if (within && within->first <= upper[begin].last) break;
  }
  // A slice of the lower level is taken whole where that costs little, so that no bits of it stay.
  const auto [below, below_end] = overlapping(lower, within->first, within->first);
  if (below < below_end && bytes_of(lower[below]) <= limits_.job_bytes / 4) {
    key first = lower[below].first;
    if (begin > 0) first = std::max(first, key_after(upper[begin - 1].last));
    for (const key_range& one : unreadable)
      if (one.last < within->first) first = std::max(first, key_after(one.last));
    within->first = std::min(first, within->first);
  }
  compaction_plan plan;
  plan.output_level = target;
  plan.first = within->first;
  const uint64_t excess = sizes_[level].all - std::min(sizes_[level].all, allowed_in(level));
  ZENITH_TRY_ASSIGN(plan.last, end_of_range(upper, begin, lower, *within, excess));
  add_overlapping(plan, level);
  add_overlapping(plan, plan.output_level);
  return plan;
}

/// The last key of a merge that begins with upper[begin] where `within` does.
result<key> picker::end_of_range(const std::vector<layer_slice>& upper, size_t begin,
                                 const std::vector<layer_slice>& lower, const key_range& within,
                                 uint64_t excess) const {
  const uint64_t budget = std::max<uint64_t>(limits_.job_bytes, 1);
  const key& first = within.first;
  uint64_t total = 0;
  uint64_t moved = 0;
  key last = first;
  std::optional<key> stop;  // the merge ends before it
  const auto stop_at = [&](const std::optional<key>& k) {
    if (k && (!stop || *k < *stop)) stop = k;
  };
  const size_t lower_begin = overlapping(lower, first, first).first;
  size_t l = lower_begin;
  for (size_t u = begin; u < upper.size() && upper[u].first <= within.last; ++u) {
    if (u > begin && upper[u].first > last && (stop || moved >= excess)) break;
    if (u > begin && total + bytes_of(upper[u]) > budget) {
      stop_at(upper[u].first);
      break;
    }
    ZENITH_TRY_ASSIGN(const auto upper_cut, cut(upper[u], within, budget));
    stop_at(upper_cut);
    total += std::min(bytes_of(upper[u]), budget);
    moved += bytes_of(upper[u]);
    last = std::min(std::max(last, upper[u].last), within.last);
    for (; l < lower.size() && lower[l].first <= last && (!stop || lower[l].first < *stop); ++l) {
      const uint64_t bytes = bytes_of(lower[l]);
      const uint64_t left = budget - std::min(total, budget);
      total += bytes;
      if (bytes > left) {
        std::optional<key> lower_cut;
        if (bytes > budget / 2) {
          ZENITH_TRY_ASSIGN(lower_cut, cut(lower[l], within, std::max(left, budget / 4)));
        }
        // The first one is always taken. What is left of a file and cannot be cut is small.
        if (!lower_cut && l > lower_begin && (bytes <= budget / 2 || is_whole(lower[l])))
          lower_cut = lower[l].first;
        stop_at(lower_cut);
      }
      if (!stop) last = std::min(std::max(last, lower[l].last), within.last);
    }
    if (stop) last = std::min(last, key_before(*stop));
  }
  if (stop) last = std::min(last, key_before(*stop));
  return last;
}

/// The first key from which on a slice, read between two keys, has more than so many bytes.
result<std::optional<key>> picker::cut(const layer_slice& slice, const key_range& within,
                                       uint64_t bytes) const {
  if (bytes_of(slice) <= bytes) return std::nullopt;
  layer_slice part = slice;
  part.first = std::max(slice.first, within.first);
  part.last = std::min(slice.last, within.last);
  ZENITH_TRY_ASSIGN(const std::vector<key> keys, split_(part, part.first, bytes));
  for (const key& k : keys)
    if (k > part.first && k <= part.last) return k;
  return std::nullopt;
}

result<std::optional<compaction_plan>> picker::collect(const retention& keep) const {
  const layer_slice* best = nullptr;
  unsigned best_level = 0;
  double most = 0;
  for (unsigned i = 0; i < layer_map::level_count; ++i) {
    for (const layer_slice& slice : map_.levels()[i]) {
      if (slice.file.name.timeline != owner_ || unreadable_.touches(slice)) continue;
      const double part = collectable(slice, keep);
      const double bytes = part * static_cast<double>(bytes_of(slice));
      if (part < collectable_min || bytes <= most) continue;
      most = bytes;
      best = &slice;
      best_level = i;
    }
  }
  if (best == nullptr) return std::nullopt;
  compaction_plan plan{{*best}, best->first, best->last, best_level};
  ZENITH_TRY_ASSIGN(const auto stop, cut(*best, {best->first, best->last}, limits_.job_bytes));
  if (stop && best_level > 0) plan.last = key_before(*stop);
  return plan;
}

result<std::optional<compaction_plan>> pick_compaction(
    const layer_map& map, const slice_splitter& split, const layer_limits& limits,
    const retention& keep, timeline_id owner, collecting also, const unreadable_parts& unreadable) {
  const picker pick(map, limits, owner, unreadable, split);
  ZENITH_TRY_ASSIGN(auto due, pick.most_due());
  if (due || also == collecting::no) return due;
  // As run_compaction keeps: what copies read their sources as of counts as well.
  return pick.collect(with_points(keep, map.copied_at()));
}

result<std::optional<compaction_plan>> pick_compaction(const layer_map& map, layer_files& files,
                                                       const layer_limits& limits,
                                                       const retention& keep, timeline_id owner,
                                                       collecting also,
                                                       unreadable_parts& unreadable) {
  for (;;) {
    std::optional<unreadable_part> found;
    const slice_splitter split = [&](const layer_slice& slice, const key& from, uint64_t bytes) {
      auto keys = files.split(slice.file, from, slice.last, bytes);
      if (!keys && is_damage(keys.error()))
        found = {slice.file.name, {from, slice.last}, keys.error()};
      return keys;
    };
    auto plan = pick_compaction(map, split, limits, keep, owner, also, unreadable);
    if (plan || !found) return plan;
    unreadable.add(std::move(*found));
  }
}

}  // namespace zenith::layers
