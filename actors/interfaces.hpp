// The node's actors: every typed handle, what each is for, and what each message does.
#pragma once

#include <memory>

#include "actors/messages.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/layers/view.hpp"
#include "storage/repository/start_plan.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::actors {

/// Received WAL on its way from a receiver to its timeline, in memory only.
class receiver_window;
using receiver_window_ptr = std::shared_ptr<receiver_window>;
struct wal_chunk {
  receiver_window_ptr from;  ///< of the receiver that sent it: a former one's chunks are dropped
  lsn at;
  bytes data;
};
using wal_chunk_ptr = std::shared_ptr<const wal_chunk>;

/// Where a timeline delivers a view that somebody waits for; see view_waiter.hpp.
class view_waiter;
using view_waiter_ptr = std::shared_ptr<view_waiter>;

using metadata_ptr = std::shared_ptr<const repository::timeline_metadata>;
using branch_base_ptr = std::shared_ptr<const repository::branch_base>;
using start_plan_ptr = std::shared_ptr<const repository::start_plan>;
using layers::view_ptr;
using repository::point_found;
using repository::point_query;
using repository::start_purpose;

}  // namespace zenith::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::lsn)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::wal_chunk_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::receiver_window_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::view_waiter_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::branch_base_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::start_plan_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::metadata_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::layers::view_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::point_query)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::start_purpose)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::point_found)

namespace zenith::actors {

using wal_atom = caf::atom_constant<caf::atom("wal")>;
using follow_atom = caf::atom_constant<caf::atom("follow")>;
using sync_wal_atom = caf::atom_constant<caf::atom("sync_wal")>;
using view_atom = caf::atom_constant<caf::atom("view")>;
using point_atom = caf::atom_constant<caf::atom("point")>;
using base_atom = caf::atom_constant<caf::atom("base")>;
using plan_atom = caf::atom_constant<caf::atom("plan")>;
using sweep_atom = caf::atom_constant<caf::atom("sweep")>;
using close_atom = caf::atom_constant<caf::atom("close")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using watch_atom = caf::atom_constant<caf::atom("watch")>;
using stream_atom = caf::atom_constant<caf::atom("stream")>;
using lookup_atom = caf::atom_constant<caf::atom("lookup")>;
using changed_atom = caf::atom_constant<caf::atom("changed")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;

/// Owns one timeline: its WAL and what is in memory of it. Detached: it does its own disk I/O.
using timeline_actor = caf::typed_actor<
    // WAL that follows what was received; made durable soon, then the receiver's window says so.
    caf::reacts_to<wal_atom, wal_chunk_ptr>,
    // A receiver begins: answers with the LSN to stream from, the pg_timeline is the plan's.
    caf::replies_to<follow_atom, receiver_window_ptr>::with<lsn>,
    // Delivers a view that covers the LSN to the waiter, now or when it has arrived, or the error
    // when it has not in time.
    caf::reacts_to<view_atom, lsn, view_waiter_ptr>,
    // The same for an actor: answers when it has arrived.
    caf::replies_to<view_atom, lsn>::with<view_ptr>,
    // Finds a point; answers when it is there and durable.
    caf::replies_to<point_atom, point_query>::with<point_found>,
    // What a child that starts at the LSN shares with this timeline.
    caf::replies_to<base_atom, lsn>::with<branch_base_ptr>,
    // How a server would start at an LSN (one that writes: at the end, which the LSN has to be).
    caf::replies_to<plan_atom, lsn, start_purpose>::with<start_plan_ptr>,
    // The pg_timeline that a plan took was recorded durably; WAL from the end on is on it.
    caf::replies_to<plan_atom, metadata_ptr>::with<lsn>,
    // WAL that a stopped server has and this timeline lacks, read from that server's pg_wal folder.
    // Answers with the end of what is durable then.
    caf::replies_to<drain_atom, std::string>::with<lsn>,
    // The newest commit's time at or before an LSN (since 2000-01-01 UTC), 0 for none.
    caf::replies_to<lookup_atom, lsn>::with<int64_t>,
    // How it is.
    caf::replies_to<status_atom>::with<timeline_status>,
    // Makes all durable and ends.
    caf::replies_to<close_atom>::with<lsn>,
    // INTERNAL: makes durable what was written since the last time.
    caf::reacts_to<sync_wal_atom>,
    // INTERNAL: answers the requests whose time is over.
    caf::reacts_to<sweep_atom>>;

}  // namespace zenith::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::timeline_actor)

namespace zenith::actors {

/// Runs one PostgreSQL server. Detached: it waits for programs and files.
using compute_actor = caf::typed_actor<
    // Writes its data directory by a plan.
    caf::replies_to<pg_create_atom, start_plan_ptr>::with<compute_info>,
    // Starts the server; answers when it accepts connections.
    caf::replies_to<pg_start_atom>::with<compute_info>,
    // Stops it (immediately or cleanly); answers when the process is gone.
    caf::replies_to<pg_stop_atom, bool>::with<compute_info>,
    // Commits an empty message, synchronously; answers with the server's flushed position.
    caf::replies_to<flush_atom>::with<lsn>,
    // Stops the server if it runs and removes its files.
    caf::replies_to<pg_destroy_atom>::with<std::string>,
    // INTERNAL: looks whether the server still runs.
    caf::reacts_to<watch_atom>>;

/// The node's root, as its own actors see it: what clients may say, and what these messages do.
using supervisor_actor = control_actor::extend<
    // The timeline with this id, spawned where it was not.
    caf::replies_to<lookup_atom, std::string>::with<timeline_actor>,
    // A compute's state changed.
    caf::reacts_to<changed_atom, compute_info>,
    // A receiver (its compute's name) streams, where the problem is empty; else why it does not.
    caf::reacts_to<stream_atom, std::string, std::string>,
    // The server of a compute was promoted: its WAL is of this pg_timeline from the LSN on, up to
    // which all is here. Answers once that is recorded.
    caf::replies_to<plan_atom, std::string, uint32_t, lsn>::with<lsn>,
    // INTERNAL: restarts what is to be restarted.
    caf::reacts_to<watch_atom>>;

}  // namespace zenith::actors
