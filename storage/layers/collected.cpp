// What a merge would leave out, and what its output remembers of the retention it was made under.
#include "storage/layers/collected.hpp"

#include <algorithm>
#include <map>

#include "storage/layers/layer_writes.hpp"

namespace zenith::layers {
namespace {

/// How many points below the horizon need a version in the file that is not its last.
uint32_t points_within(const layer_file_info& file, const retention& keep) {
  const auto begin = std::ranges::lower_bound(keep.points, file.first_lsn());
  const auto end = std::lower_bound(begin, keep.points.end(), std::min(file.last, keep.horizon));
  return static_cast<uint32_t>(end - begin);
}

}  // namespace

double collectable(const layer_slice& slice, const retention& keep) {
  const layer_file_info& file = slice.file;
  // Only of a key with more than one version may any go.
  if (file.name.kind == layer_kind::image || file.entries <= file.keys) return 0;
  const lsn end = std::min(slice.reaches(), keep.horizon);
  lsn begin = std::max(file.after, file.collected_to);
  if (points_within(file, keep) < file.collected_points) begin = file.after;
  if (end <= begin) return 0;
  const double repeated =
      static_cast<double>(file.entries - file.keys) / static_cast<double>(file.entries);
  return repeated * static_cast<double>(end - begin) /
         static_cast<double>(slice.reaches() - file.after);
}

std::vector<collectable_file> collectable_files(const layer_map& map, const retention& keep,
                                                timeline_id owner) {
  // A file goes once none of its slices counts any more; they are taken for equally large.
  struct sums {
    double going = 0;
    size_t slices = 0;
    uint64_t size_bytes = 0;
  };
  std::map<layer_name, sums> files;
  for (const layer_level& level : map.levels()) {
    for (const layer_slice& slice : level) {
      if (slice.file.name.timeline != owner) continue;
      sums& file = files[slice.file.name];
      const double part = collectable(slice, keep);
      if (part >= collectable_min) file.going += part;
      ++file.slices;
      file.size_bytes = slice.file.size_bytes;
    }
  }
  std::vector<collectable_file> found;
  for (const auto& [name, file] : files) {
    const double bytes =
        static_cast<double>(file.size_bytes) * file.going / static_cast<double>(file.slices);
    if (file.going > 0) found.push_back({name, static_cast<uint64_t>(bytes)});
  }
  return found;
}

std::optional<lsn> next_collectable(const layer_map& map, const retention& keep, lsn limit,
                                    timeline_id owner) {
  std::optional<lsn> next;
  retention tried = keep;
  const auto is_worth = [&](const layer_slice& slice, lsn horizon) {
    tried.horizon = horizon;
    return collectable(slice, tried) >= collectable_min;
  };
  for (const layer_level& level : map.levels()) {
    for (const layer_slice& slice : level) {
      if (slice.file.name.timeline != owner || is_worth(slice, keep.horizon)) continue;
      lsn low = keep.horizon;
      lsn high = next ? std::min(*next, limit) : limit;
      if (high <= low || !is_worth(slice, high)) continue;
      while (high - low > 1) {
        const lsn middle = low + (high - low) / 2;
        (is_worth(slice, middle) ? high : low) = middle;
      }
      next = high;
    }
  }
  return next;
}

void note_retention(layer_file_info& output, const retention& keep,
                    const std::vector<layer_slice>& inputs) {
  output.collected_to = keep.horizon;
  output.collected_points = points_within(output, keep);
  // A merge that leaves out what this retention allows leaves nothing of that.
  if (keep.horizon.is_valid()) return;
  for (const layer_slice& input : inputs) {
    if (input.file.collected_to <= keep.horizon) continue;
    output.collected_to = std::max(output.collected_to, input.file.collected_to);
    output.collected_points = std::max(output.collected_points, input.file.collected_points);
  }
}

}  // namespace zenith::layers
