// The wal_receiver actor: follows one server by physical replication for one timeline.
#pragma once

#include <chrono>
#include <string>

#include "actors/interfaces.hpp"
#include "actors/replication.hpp"
#include "storage/repository/follow_plan.hpp"

namespace zenith::actors {

struct receiver_parameters {
  std::string compute;      ///< whose server it is
  std::string conninfo;     ///< how to reach it; replication is added here
  std::string slot;         ///< made where it is missing, with its WAL reserved
  std::string application;  ///< the application_name; what synchronous_standby_names refers to
  expected_server expected;
  /// The timeline's pg_timelines, the newest is the expected server's.
  std::vector<repository::pg_timeline_start> pg_timelines;
  size_t chunk_size_max_bytes = 1 << 20;
  uint64_t unsynced_max_bytes = 64 << 20;
  std::chrono::milliseconds status_interval{1000};
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{5000};
  std::chrono::milliseconds connect_timeout{10'000};
};

/// Connects, checks that the server is what the timeline expects, streams, and begins again after
/// every failure, with backoff. Goes on with a server that was promoted, where its history allows.
/// Ends on an exit message. Tells the supervisor when it streams, and
/// why it does not.
void wal_receiver(caf::blocking_actor* self, receiver_parameters parameters,
                  timeline_actor timeline, supervisor_actor supervisor);

}  // namespace zenith::actors
