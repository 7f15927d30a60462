// collected: what can go of a file, told without reading it.
#pragma once

#include <optional>
#include <vector>

#include "storage/layers/layer_map.hpp"
#include "storage/layers/retention.hpp"

namespace zenith::layers {

/// Which part of a slice's bytes, from 0 to 1, a merge of it alone may leave out, about. What an
/// earlier merge kept under this retention, or one that kept less, is not counted again.
double collectable(const layer_slice& slice, const retention& keep);

/// Less of a slice than this part is not worth writing it again.
inline constexpr double collectable_min = 0.1;

/// What merges that only free space would leave out of a file, about.
struct collectable_file {
  layer_name name;
  uint64_t bytes = 0;
};
/// Those of the map's files that its owner wrote and that such merges would write again, by name,
/// each once. `keep`: with_points(), of the map's copied_at().
std::vector<collectable_file> collectable_files(const layer_map& map, const retention& keep,
                                                timeline_id owner);

/// The lowest horizon, above keep.horizon and at or below `limit`, from which on such merges would
/// write a file again that they leave alone now; none where no such horizon makes them. `keep`:
/// with all points below `limit`.
std::optional<lsn> next_collectable(const layer_map& map, const retention& keep, lsn limit,
                                    timeline_id owner);

}  // namespace zenith::layers
