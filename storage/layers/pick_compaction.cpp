// Level scores, the slices of a merge, and where its keys end.
#include "storage/layers/pick_compaction.hpp"

#include <algorithm>
#include <iterator>

#include "storage/layers/collected.hpp"
#include "storage/layers/layer_map_checks.hpp"

namespace zenith::layers {
namespace {

/// Less of a slice than this part is not worth writing it again.
constexpr double collectable_min = 0.1;

uint64_t bytes_of(const layer_slice& slice) { return std::max<uint64_t>(slice.file.size_bytes, 1); }

bool is_whole(const layer_slice& slice) {
  return slice.first == slice.file.first_key && slice.last == slice.file.last_key;
}

class picker {
 public:
  picker(const layer_map& map, const slice_splitter& split, const layer_limits& limits,
         timeline_id owner)
      : map_(map), split_(split), limits_(limits), owner_(owner) {
    for (const layer_level& level : map.levels()) sizes_.push_back(size_of(level));
  }

  result<std::optional<compaction_plan>> most_due() const;
  result<std::optional<compaction_plan>> collect(const retention& keep) const;

 private:
  struct size {
    uint64_t all = 0;  ///< stored bytes of its files, each once
    uint64_t own = 0;  ///< of those that the owner wrote
  };
  size size_of(const layer_level& level) const;
  /// What a level may have, by the settings alone.
  uint64_t limit_of(unsigned level) const;
  /// What it may have above what lies below it.
  uint64_t allowed_in(unsigned level) const;
  double score_of(unsigned level) const;
  unsigned level_below(unsigned level) const;
  unsigned target_of(unsigned level) const;
  std::optional<compaction_plan> level0_plan() const;
  result<compaction_plan> downward(unsigned level) const;
  result<key> end_of_range(const std::vector<layer_slice>& upper, size_t begin,
                           const std::vector<layer_slice>& lower, const key& first,
                           uint64_t excess) const;
  result<std::optional<key>> cut(const layer_slice& slice, const key& from, uint64_t bytes) const;
  void add_overlapping(compaction_plan& plan, unsigned level) const;

  const layer_map& map_;
  const slice_splitter& split_;
  const layer_limits& limits_;
  const timeline_id owner_;
  std::vector<size> sizes_;
};

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

result<std::optional<compaction_plan>> picker::most_due() const {
  std::optional<compaction_plan> due = level0_plan();
  double score = due ? static_cast<double>(map_.levels()[0].size()) / limits_.level0_merge_at : 1;
  unsigned level = 0;
  for (unsigned i = 1; i + 1 < layer_map::level_count; ++i) {
    if (score_of(i) <= score) continue;
    score = score_of(i);
    level = i;
  }
  if (level == 0) return due;
  return downward(level);
}

std::optional<compaction_plan> picker::level0_plan() const {
  const std::vector<layer_slice>& slices = map_.levels()[0];
  if (slices.size() < limits_.level0_merge_at) return std::nullopt;
  const bool everything_counts = slices.size() >= 2 * size_t{limits_.level0_merge_at};
  uint64_t counted = 0;  // what others are measured against
  const auto is_worth = [&](uint64_t bytes) { return bytes / limits_.level_factor <= counted; };
  size_t taken = 0;
  for (; taken < slices.size() && (taken == 0 || is_worth(bytes_of(slices[taken]))); ++taken)
    if (everything_counts || slices[taken].file.name.timeline == owner_)
      counted += bytes_of(slices[taken]);
  // Who sends WAL waits by now.
  if (slices.size() >= limits_.level0_max) taken = slices.size();
  if (taken < 2) return std::nullopt;

  compaction_plan plan;
  plan.inputs.assign(slices.begin(), slices.begin() + static_cast<ptrdiff_t>(taken));
  plan.first = std::ranges::min(plan.inputs, {}, &layer_slice::first).first;
  plan.last = std::ranges::max(plan.inputs, {}, &layer_slice::last).last;
  if (taken < slices.size()) return plan;

  const unsigned target = target_of(0);
  const std::vector<layer_slice>& lower = map_.levels()[target];
  const auto [begin, end] = overlapping(lower, plan.first, plan.last);
  uint64_t below = 0;
  for (size_t i = begin; i < end; ++i) below += bytes_of(lower[i]);
  if (!is_worth(below)) return plan;
  if (begin < end) {
    plan.first = std::min(plan.first, lower[begin].first);
    plan.last = std::max(plan.last, lower[end - 1].last);
  }
  plan.output_level = target;
  add_overlapping(plan, target);
  return plan;
}

void picker::add_overlapping(compaction_plan& plan, unsigned level) const {
  const std::vector<layer_slice>& slices = map_.levels()[level];
  const auto [begin, end] = overlapping(slices, plan.first, plan.last);
  plan.inputs.insert(plan.inputs.end(), slices.begin() + static_cast<ptrdiff_t>(begin),
                     slices.begin() + static_cast<ptrdiff_t>(end));
}

result<compaction_plan> picker::downward(unsigned level) const {
  const std::vector<layer_slice>& upper = map_.levels()[level];
  compaction_plan plan;
  plan.output_level = target_of(level);
  const std::vector<layer_slice>& lower = map_.levels()[plan.output_level];

  size_t begin = 0;
  if (const std::optional<key>& place = map_.places()[level]; place) {
    const auto found = std::ranges::upper_bound(upper, *place, {}, &layer_slice::first);
    if (found != upper.end()) begin = static_cast<size_t>(found - upper.begin());
  }
  plan.first = upper[begin].first;
  // A slice of the lower level is taken whole where that costs little, so that no bits of it stay.
  const auto [below, below_end] = overlapping(lower, plan.first, plan.first);
  if (below < below_end && bytes_of(lower[below]) <= limits_.job_bytes / 4) {
    plan.first = lower[below].first;
    if (begin > 0) plan.first = std::max(plan.first, key_after(upper[begin - 1].last));
  }
  const uint64_t excess = sizes_[level].all - std::min(sizes_[level].all, allowed_in(level));
  ZENITH_TRY_ASSIGN(plan.last, end_of_range(upper, begin, lower, plan.first, excess));
  add_overlapping(plan, level);
  add_overlapping(plan, plan.output_level);
  return plan;
}

/// The last key of a merge that begins at `first` with upper[begin].
result<key> picker::end_of_range(const std::vector<layer_slice>& upper, size_t begin,
                                 const std::vector<layer_slice>& lower, const key& first,
                                 uint64_t excess) const {
  const uint64_t budget = std::max<uint64_t>(limits_.job_bytes, 1);
  uint64_t total = 0;
  uint64_t moved = 0;
  key last = first;
  std::optional<key> stop;  // the merge ends before it
  const auto stop_at = [&](const std::optional<key>& k) {
    if (k && (!stop || *k < *stop)) stop = k;
  };
  const size_t lower_begin = overlapping(lower, first, first).first;
  size_t l = lower_begin;
  for (size_t u = begin; u < upper.size(); ++u) {
    if (u > begin && upper[u].first > last && (stop || moved >= excess)) break;
    if (u > begin && total + bytes_of(upper[u]) > budget) {
      stop_at(upper[u].first);
      break;
    }
    ZENITH_TRY_ASSIGN(const auto upper_cut, cut(upper[u], first, budget));
    stop_at(upper_cut);
    total += std::min(bytes_of(upper[u]), budget);
    moved += bytes_of(upper[u]);
    last = std::max(last, upper[u].last);
    for (; l < lower.size() && lower[l].first <= last && (!stop || lower[l].first < *stop); ++l) {
      const uint64_t bytes = bytes_of(lower[l]);
      const uint64_t left = budget - std::min(total, budget);
      total += bytes;
      if (bytes > left) {
        std::optional<key> lower_cut;
        if (bytes > budget / 2) {
          ZENITH_TRY_ASSIGN(lower_cut, cut(lower[l], first, std::max(left, budget / 4)));
        }
        // The first one is always taken. What is left of a file and cannot be cut is small.
        if (!lower_cut && l > lower_begin && (bytes <= budget / 2 || is_whole(lower[l])))
          lower_cut = lower[l].first;
        stop_at(lower_cut);
      }
      if (!stop) last = std::max(last, lower[l].last);
    }
    if (stop) last = std::min(last, key_before(*stop));
  }
  if (stop) last = std::min(last, key_before(*stop));
  return last;
}

/// The first key from which on a slice, read from a key on, has more than so many bytes.
result<std::optional<key>> picker::cut(const layer_slice& slice, const key& from,
                                       uint64_t bytes) const {
  if (bytes_of(slice) <= bytes) return std::nullopt;
  const key begin = std::max(from, slice.first);
  ZENITH_TRY_ASSIGN(const std::vector<key> keys, split_(slice, begin, bytes));
  for (const key& k : keys)
    if (k > begin && k <= slice.last) return k;
  return std::nullopt;
}

result<std::optional<compaction_plan>> picker::collect(const retention& keep) const {
  const layer_slice* best = nullptr;
  unsigned best_level = 0;
  double most = 0;
  for (unsigned i = 0; i < layer_map::level_count; ++i) {
    for (const layer_slice& slice : map_.levels()[i]) {
      if (slice.file.name.timeline != owner_) continue;
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
  ZENITH_TRY_ASSIGN(const auto stop, cut(*best, best->first, limits_.job_bytes));
  if (stop && best_level > 0) plan.last = key_before(*stop);
  return plan;
}

}  // namespace

result<std::optional<compaction_plan>> pick_compaction(const layer_map& map,
                                                       const slice_splitter& split,
                                                       const layer_limits& limits,
                                                       const retention& keep, timeline_id owner,
                                                       collecting also) {
  const picker pick(map, split, limits, owner);
  ZENITH_TRY_ASSIGN(auto due, pick.most_due());
  if (due || also == collecting::no) return due;
  // As run_compaction keeps: what copies read their sources as of counts as well.
  return pick.collect(with_points(keep, map.copied_at()));
}

result<std::optional<compaction_plan>> pick_compaction(const layer_map& map, layer_files& files,
                                                       const layer_limits& limits,
                                                       const retention& keep, timeline_id owner,
                                                       collecting also) {
  const slice_splitter split = [&](const layer_slice& slice, const key& from, uint64_t bytes) {
    return files.split(slice.file, from, slice.last, bytes);
  };
  return pick_compaction(map, split, limits, keep, owner, also);
}

}  // namespace zenith::layers
