// What a merge would leave out, and what its output remembers of the retention it was made under.
#include "storage/layers/collected.hpp"

#include <algorithm>

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

void note_retention(layer_file_info& output, const retention& keep,
                    const std::vector<layer_slice>& inputs) {
  output.collected_to = keep.horizon;
  output.collected_points = points_within(output, keep);
  for (const layer_slice& input : inputs) {
    if (input.file.collected_to <= keep.horizon) continue;
    output.collected_to = std::max(output.collected_to, input.file.collected_to);
    output.collected_points = std::max(output.collected_points, input.file.collected_points);
  }
}

}  // namespace zenith::layers
