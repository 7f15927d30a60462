// The sweeper: removes the layer files that no manifest names and nobody reads.
#pragma once

#include <memory>
#include <vector>

#include "actors/interfaces.hpp"
#include "storage/layers/layer_files.hpp"

namespace zenith::actors {

enum class sweep_mode : uint8_t { remove, report };

struct sweep_parameters {
  file_system* files = nullptr;
  /// Notes what is in use since before the rest of this was known (begin_sweep).
  std::shared_ptr<layers::layer_files> registry;
  path directory;  ///< of all timelines
  std::vector<timeline_id> timelines;
  /// What cannot be read of the repository: it might name any file, so nothing is removed.
  std::vector<error> damaged;
  sweep_mode mode = sweep_mode::remove;
};

using sweep_actor = caf::typed_actor<
    // Looks through all folders once, and ends.
    caf::replies_to<run_atom>::with<gc_reply>>;

/// Spawn it detached. Asks the supervisor which files open timelines may come to name.
sweep_actor::behavior_type sweeper(sweep_actor::pointer self, sweep_parameters parameters,
                                   supervisor_actor supervisor);

}  // namespace zenith::actors
