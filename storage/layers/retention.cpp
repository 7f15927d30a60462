// Which states are kept.
#include "storage/layers/retention.hpp"

#include <algorithm>
#include <iterator>

namespace zenith::layers {

std::vector<lsn> retention::kept_states() const {
  std::vector<lsn> states;
  if (!horizon.is_valid()) return states;
  const auto end = std::lower_bound(points.begin(), points.end(), horizon);
  states.assign(points.begin(), end);
  states.erase(std::unique(states.begin(), states.end()), states.end());
  states.push_back(horizon);
  return states;
}

bool retention::keeps(lsn at) const {
  return at >= horizon || std::binary_search(points.begin(), points.end(), at);
}

retention with_points(const retention& keep, std::span<const lsn> points) {
  retention all{keep.horizon, {}, keep.known_from};
  std::ranges::set_union(keep.points, points, std::back_inserter(all.points));
  return all;
}

}  // namespace zenith::layers
