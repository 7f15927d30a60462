// Which merge is due in level 0.
#include <algorithm>

#include "storage/layers/layer_map_checks.hpp"
#include "storage/layers/picker.hpp"

namespace zenith::layers {

picker::taking picker::worth_taking(run slices) const {
  const bool everything_counts = slices.size() >= 2 * size_t{limits_.level0_merge_at};
  taking found;
  for (const layer_slice& one : slices) {
    if (found.slices > 0 && !is_worth(bytes_of(one), found.counted)) break;
    ++found.slices;
    if (everything_counts || one.file.name.timeline == owner_) found.counted += bytes_of(one);
  }
  // Who sends WAL waits by now.
  if (slices.size() >= limits_.level0_max) found.slices = slices.size();
  return found;
}

std::optional<compaction_plan> picker::level0_plan() const {
  const std::vector<layer_slice>& slices = map_.levels()[0];
  const auto cannot_be_read = [&](const layer_slice& one) { return unreadable_.touches(one); };
  for (auto begin = slices.begin(); begin != slices.end();) {
    begin = std::find_if_not(begin, slices.end(), cannot_be_read);
    const auto end = std::find_if(begin, slices.end(), cannot_be_read);
    const run neighbours(begin, end);
    begin = end;
    if (neighbours.size() < limits_.level0_merge_at) continue;
    const taking some = worth_taking(neighbours);
    if (some.slices < 2) continue;
    compaction_plan plan;
    plan.inputs.assign(neighbours.begin(),
                       neighbours.begin() + static_cast<ptrdiff_t>(some.slices));
    plan.first = std::ranges::min(plan.inputs, {}, &layer_slice::first).first;
    plan.last = std::ranges::max(plan.inputs, {}, &layer_slice::last).last;
    if (end == slices.end() && some.slices == neighbours.size())
      add_what_lies_below(plan, some.counted);
    return plan;
  }
  return std::nullopt;
}

/// Makes a merge of all that is oldest in level 0 one that goes down, where that is worth it and
/// all of it can be read.
void picker::add_what_lies_below(compaction_plan& plan, uint64_t counted) const {
  for (const unsigned target : targets_of(0)) {
    const std::vector<layer_slice>& lower = map_.levels()[target];
    const auto [begin, end] = overlapping(lower, plan.first, plan.last);
    uint64_t below = 0;
    bool can_be_read = true;
    for (size_t i = begin; i < end; ++i) {
      below += bytes_of(lower[i]);
      can_be_read = can_be_read && !unreadable_.touches(lower[i]);
    }
    if (!can_be_read) continue;
    if (!is_worth(below, counted)) return;
    if (begin < end) {
      plan.first = std::min(plan.first, lower[begin].first);
      plan.last = std::max(plan.last, lower[end - 1].last);
    }
    plan.output_level = target;
    add_overlapping(plan, target);
    return;
  }
}

bool level0_merge_is_due(const layer_map& map, const layer_limits& limits, timeline_id owner,
                         const unreadable_parts& unreadable) {
  const slice_splitter none;
  return picker(map, limits, owner, unreadable, none).level0_plan().has_value();
}

}  // namespace zenith::layers
