// Files that no manifest names, that are not in use, and that no job is writing.
#include "storage/layers/file_garbage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::layers {

result<std::vector<layer_name>> unreferenced_files(
    const std::map<timeline_id, swept_timeline>& timelines, const std::set<layer_name>& in_use) {
  std::set<layer_name> needed = in_use;
  for (const auto& [id, swept] : timelines) {
    if (!swept.map) {
      needed.insert({id, 0, layer_kind::image});
      continue;
    }
    for (const layer_level& level : swept.map->levels())
      for (const layer_slice& slice : level) needed.insert(slice.file.name);
  }
  std::vector<layer_name> garbage;
  for (const auto& [id, swept] : timelines) {
    for (const layer_name& file : swept.files) {
      if (file.timeline != id)
        return fail(errc::invalid_argument,
                    fmt::format("a file of timeline {} lies in the folder of timeline {}",
                                to_string(file.timeline), to_string(id)));
      if (file.number < swept.unsettled_from && !needed.contains(file)) garbage.push_back(file);
    }
  }
  std::ranges::sort(garbage);
  return garbage;
}

}  // namespace zenith::layers
