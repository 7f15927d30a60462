// The timeline actor: one open timeline behind a mailbox.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "actors/interfaces.hpp"
#include "actors/receiver_window.hpp"
#include "actors/timeline_layers.hpp"
#include "storage/repository/arrival_queue.hpp"

namespace zenith::actors {

struct timeline_parameters {
  /// Its parent's base is asked for by the actor, where there is a parent actor.
  repository::timeline_store::parameters store;
  timeline_actor before;  ///< opens once this one, of the same timeline, has ended; or null
  std::chrono::milliseconds arrival_timeout{10'000};
  size_t waiting_max = 10'000;
  bool check_images = false;  ///< those that records carry for checking (image_check.hpp)
  layer_parameters layers;
};

/// What the actor holds. CAF destroys it when the actor ends, before it tells those who monitor the
/// actor; who still waits for WAL is told then.
struct timeline_state {
  timeline_state() = default;
  timeline_state(const timeline_state&) = delete;
  timeline_state& operator=(const timeline_state&) = delete;
  ~timeline_state();

  static inline const char* name = "timeline";

  timeline_parameters parameters;
  std::unique_ptr<repository::timeline_store> store;
  std::optional<error> failure;  ///< why the timeline cannot be used
  /// Requests for an LSN that has to have arrived as the end of whole records, and as bytes.
  std::optional<repository::arrival_queue> records;
  std::optional<repository::arrival_queue> received;
  receiver_window_ptr window;  ///< of the receiver that feeds it
  struct drained_folder {
    std::string pg_wal;
    caf::typed_response_promise<lsn> promise;
  };
  std::optional<drained_folder> draining;
  std::string problem;  ///< why what a receiver sent was refused
  std::string damage;   ///< of the first record or page that is not as it should be
  layer_duties duties;
  bool sync_scheduled = false;
  bool sweep_scheduled = false;
};

timeline_status status_of(const timeline_state& state);

/// Opens the timeline when it starts; `parent`, where it is not null, is asked for what the child
/// shares. Spawn it
/// detached: it reads and writes files. Where opening fails, it answers everything with that error
/// and ends, so that the next request tries again.
timeline_actor::behavior_type timeline(timeline_actor::stateful_pointer<timeline_state> self,
                                       timeline_parameters parameters, timeline_actor parent);

}  // namespace zenith::actors
