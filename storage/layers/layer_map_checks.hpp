// layer_map_checks: what can be told of a layer map's invariant without reading files.
#pragma once

#include <vector>

#include "storage/base/result.hpp"
#include "storage/layers/layer_file.hpp"

namespace zenith::layers {

/// "slice 1 of level 2 (0000002a.delta)".
std::string describe(unsigned level, size_t index, const layer_slice& slice);

/// Keys and LSNs of the slices themselves, that those of a sorted level do not overlap, and that
/// those of level 0 which do are newer than the ones behind them. Error: corrupt.
result<void> check_level(unsigned level, const std::vector<layer_slice>& slices);
/// That slices of level 0 are newer than the slices of a sorted level that they overlap. Error:
/// corrupt.
result<void> check_below(const std::vector<layer_slice>& level0, unsigned level,
                         const std::vector<layer_slice>& slices);

/// The slices of a sorted level that may hold keys from first to last: from the one index to before
/// the other one.
std::pair<size_t, size_t> overlapping(const std::vector<layer_slice>& sorted, const key& first,
                                      const key& last);

}  // namespace zenith::layers
