// The untouched timeline actor: a branch to which nothing was written yet, in little memory.
#pragma once

#include <chrono>
#include <memory>

#include "actors/interfaces.hpp"
#include "storage/layers/layer_files.hpp"
#include "storage/layers/page_cache.hpp"

namespace zenith::actors {

/// What all of a node have in common.
struct untouched_surroundings {
  supervisor_actor supervisor;
  std::shared_ptr<layers::layer_files> registry;
  std::shared_ptr<layers::page_cache> cache;
  std::chrono::milliseconds idle_timeout{600'000};
};

struct untouched_parameters {
  std::shared_ptr<const untouched_surroundings> node;
  timeline_id id;
  lsn start;
  lsn start_previous_record;
  uint32_t segment_size_bytes = 0;
};

struct untouched_state {
  static inline const char* name = "untouched_timeline";

  untouched_parameters how;
  std::weak_ptr<const layers::view> view;  ///< as long as somebody has it
  std::chrono::steady_clock::time_point last_used;
};

/// How such a timeline is: open, with nothing but its start.
timeline_status untouched_status(const timeline_id& id, lsn start);

/// Answers what concerns the timeline's start, at which it ends, from what the nearest ancestor
/// with something of its own has; that one is opened, and none in between. With all else it has the
/// supervisor spawn the timeline itself, and hands it on. Touches no file: no thread of its own.
timeline_actor::behavior_type untouched_timeline(
    timeline_actor::stateful_pointer<untouched_state> self, untouched_parameters parameters);

}  // namespace zenith::actors
