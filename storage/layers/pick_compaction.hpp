// pick_compaction: which merge is due, as a rule over a map that reads no versions.
//
// Level 0. Slices are added at the front, and may be small. Once there are limits.level0_merge_at
// of them, the newest are merged into one, together with each older one that is no more than
// level_factor times as large as what would be rewritten with it anyway; with all of them goes what
// lies below, by the same measure. So sizes in level 0 rise geometrically from the newest to the
// oldest, its number of slices stays logarithmic, and a version is rewritten a logarithmic number
// of times, however small what was flushed. What is measured against is what the timeline wrote
// itself, so that a branch with little of its own does not copy what it shares; where slices come
// to twice the number all the same (a long chain of such branches), everything counts.
//
// Levels from 1 on. A level is too large past level1_bytes times a power of level_factor, or past
// its part of what lies below, where that is less. Its slices take turns by key. It goes to the
// next level, or past empty levels to one that is no larger than the next one may be: a small
// history has few levels, and superseded versions of its base go soon. A timeline that wrote only a
// small part of a level leaves it as it is. The range of a merge ends where the job would become
// too large: at a slice of the lower level, or inside one that is large by itself, such as a base
// image.
//
// What cannot be read. A merge reads no unreadable part of a slice, and moves nothing past one. In
// level 0 runs of neighbours that can be read are merged by themselves, each by the same measure,
// and only the oldest run goes down, where all of what it overlaps there can be read; no slice of
// level 0 is left in part, since a file's keys and LSNs are known as a whole only. In the levels
// below, a merge goes up to an unreadable part or begins behind it, and the versions of its keys
// stay where they are, in both levels.
#pragma once

#include <functional>

#include "storage/layers/layer_writes.hpp"

namespace zenith::layers {

/// layer_files::split, of a slice from a key on.
using slice_splitter = std::function<result<std::vector<key>>(
    const layer_slice& slice, const key& from, uint64_t piece_bytes)>;

result<std::optional<compaction_plan>> pick_compaction(
    const layer_map& map, const slice_splitter& split, const layer_limits& limits,
    const retention& keep, timeline_id owner, collecting also, const unreadable_parts& unreadable);

}  // namespace zenith::layers
