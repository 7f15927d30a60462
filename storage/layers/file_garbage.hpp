// file_garbage: which layer files of a repository nobody needs any more.
//
// A sweep goes in this order, while timelines go on:
//   1. layer_files::begin_sweep()
//   2. for each timeline, the number from which on its files may belong to a job that is under way
//      or not installed (layer_store::unsettled_from)
//   3. for each timeline, the files in its folder
//   4. for each timeline, its manifest
//   5. layer_files::end_sweep(), which gives the names that were in use at any time meanwhile
//   6. what unreferenced_files says is removed
// A file that a job writes is spared by 2, also where the job is installed before 4; one that
// appears after 3 is not looked at. One that a child has from its parent is spared by 5 as long as
// the child holds it in memory only, and by 4 where its manifest names it by then. What neither
// names nor uses after 5 nobody can come to: names come from manifests, and from maps whose layers
// were asked for (layer_map::layers), which keeps them in use.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "storage/layers/layer_map.hpp"

namespace zenith::layers {

/// What a sweep found of one timeline.
struct swept_timeline {
  std::vector<layer_name> files;  ///< in its folder, leftovers of no known name aside
  uint64_t unsettled_from = 1;
  /// Its manifest's map. None where it has no manifest yet: a root's base image is needed then.
  std::optional<layer_map> map;
};

/// The files that may be removed, ascending. Errors: invalid_argument where a file lies in another
/// timeline's folder than its name says. One manifest that cannot be read forbids any removal, for
/// it may name any file: that is for the caller to see to.
result<std::vector<layer_name>> unreferenced_files(
    const std::map<timeline_id, swept_timeline>& timelines, const std::set<layer_name>& in_use);

}  // namespace zenith::layers
