// The background actor: threads that write and merge the layers of all timelines.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "actors/interfaces.hpp"

namespace zenith::actors {

struct background_parameters {
  /// Threads. One of several is never given a merge, so that no write waits for one to finish.
  size_t workers = 2;
  /// Each worker on a thread of its own; a test has them run by its scheduler.
  bool detached = true;
  /// Set by the supervisor: merges end at the next chance, and no new one begins.
  std::shared_ptr<const std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
};

/// Hands jobs to its workers: writes first, then merges, each kind in the order in which they came.
/// Never blocks. A job that is asked for is answered, whatever comes of it.
background_actor::behavior_type background(background_actor::pointer self,
                                           background_parameters parameters);

}  // namespace zenith::actors
