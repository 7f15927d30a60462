// The node's actors: every typed handle, what each is for, and what each message does.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>

#include "actors/messages.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/layers/layer_writes.hpp"
#include "storage/layers/view.hpp"
#include "storage/repository/retention_rule.hpp"
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

/// Work on a timeline's layers for a thread of the background actor.
struct layer_job {
  enum class kind : uint8_t { write, merge };
  kind what = kind::write;
  /// Asks now and then whether to stop (a write need not); touches nothing that the timeline
  /// owns, but what it was given.
  std::function<result<layers::written_layers>(const std::function<bool()>& stop)> run;
  /// Its timeline wants nothing of it any more.
  std::shared_ptr<const std::atomic<bool>> cancelled;
};
using layer_job_ptr = std::shared_ptr<const layer_job>;
using layer_outcome_ptr = std::shared_ptr<const result<layers::written_layers>>;

/// What a timeline has to keep: its window of history, and what all names need.
struct kept_states {
  repository::retention_window window;
  /// Of WAL that is kept as it came.
  repository::retention_window wal_window{repository::retention_window::unlimited, 0};
  std::shared_ptr<const repository::needed_states> needed;
};
using kept_states_ptr = std::shared_ptr<const kept_states>;

using wal_trim_ptr = std::shared_ptr<const repository::timeline_store::wal_trim>;

/// By timeline, of those that are open.
using unsettled_ptr = std::shared_ptr<const std::map<timeline_id, uint64_t>>;

/// Whether a child waits for what it inherits to be in files, or needs it there now.
enum class urgency : uint8_t { whenever, now };
/// What a timeline's merges are asked to do: what is due, or also what only frees space.
enum class merge_goal : uint8_t { due, space };
/// How a timeline ends: with its layers written, or without a further write.
enum class closing : uint8_t { write, discard };

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
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::layer_job_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::kept_states_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::wal_trim_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::unsettled_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::urgency)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::merge_goal)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::closing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::layer_outcome_ptr)

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
using settle_atom = caf::atom_constant<caf::atom("settle")>;
using merge_atom = caf::atom_constant<caf::atom("merge")>;
using trim_atom = caf::atom_constant<caf::atom("trim")>;
using unsettled_atom = caf::atom_constant<caf::atom("unsettled")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using tend_atom = caf::atom_constant<caf::atom("tend")>;
using keep_atom = caf::atom_constant<caf::atom("keep")>;
using collect_atom = caf::atom_constant<caf::atom("collect")>;
using more_atom = caf::atom_constant<caf::atom("more")>;
using leave_atom = caf::atom_constant<caf::atom("leave")>;
using run_atom = caf::atom_constant<caf::atom("run")>;
using grow_atom = caf::atom_constant<caf::atom("grow")>;
using source_atom = caf::atom_constant<caf::atom("source")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;

/// Writes and merges layers for all timelines, on threads of its own.
using background_actor = caf::typed_actor<
    // Runs the job when it is its turn; answers with what came of it.
    caf::replies_to<run_atom, layer_job_ptr>::with<layer_outcome_ptr>>;

/// Owns one timeline: its WAL and what is in memory of it. Detached: it does its own disk I/O. One
/// to which nothing was written has an untouched_timeline in its place, which costs little.
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
    // The same as base_atom, once all of it is in files.
    caf::replies_to<settle_atom, lsn, urgency>::with<branch_base_ptr>,
    // Writes what is in memory and merges until nothing is left to do.
    caf::replies_to<merge_atom, merge_goal>::with<timeline_status>,
    // Removes WAL that is not to be kept.
    caf::replies_to<trim_atom, kept_states_ptr>::with<wal_trim_ptr>,
    // The lowest number of its files that may come to count although its manifest does not name
    // them (layer_store::unsettled_from).
    caf::replies_to<unsettled_atom>::with<uint64_t>,
    // Ends where nobody but who collects has used it since it was opened. Answers true once it
    // has ended; false where it stays; an error where it cannot be written, and so not end.
    caf::replies_to<leave_atom>::with<bool>,
    // Makes all durable and ends, once no job works for it any more.
    caf::replies_to<close_atom, closing>::with<lsn>,
    // INTERNAL: looks whether its layers are to be frozen, written or merged.
    caf::reacts_to<tend_atom>,
    // INTERNAL: the same, again and again.
    caf::reacts_to<tick_atom>,
    // INTERNAL: makes durable what was written since the last time.
    caf::reacts_to<sync_wal_atom>,
    // INTERNAL: answers the requests whose time is over.
    caf::reacts_to<sweep_atom>>;

}  // namespace zenith::actors

namespace zenith::actors {

/// Where a timeline without anything of its own finds what it has.
struct inherited_from {
  timeline_actor timeline;  ///< of repository::inherits_from
  metadata_ptr child;       ///< of the one that asked, with all of its pg_timelines
};

}  // namespace zenith::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::timeline_actor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(zenith::actors::inherited_from)

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
    // The same, to write to it, or for what an untouched one cannot answer.
    caf::replies_to<grow_atom, std::string>::with<timeline_actor>,
    // What the timeline with this id has its beginning from, spawned where it was not.
    caf::replies_to<source_atom, std::string>::with<inherited_from>,
    // A compute's state changed.
    caf::reacts_to<changed_atom, compute_info>,
    // A receiver (its compute's name) streams, where the problem is empty; else why it does not.
    caf::reacts_to<stream_atom, std::string, std::string>,
    // The server of a compute was promoted: its WAL is of this pg_timeline from the LSN on, up to
    // which all is here. Answers once that is recorded.
    caf::replies_to<plan_atom, std::string, uint32_t, lsn>::with<lsn>,
    // What a timeline has to keep.
    caf::replies_to<keep_atom, std::string>::with<kept_states_ptr>,
    // What each open timeline says to the same.
    caf::replies_to<unsettled_atom>::with<unsettled_ptr>,
    // A timeline that nobody uses, with all that it holds in files, would end: whether it may. It
    // is asked for nothing more then.
    caf::replies_to<leave_atom, timeline_status>::with<bool>,
    // A merge counts: files that it has merged may be garbage.
    caf::reacts_to<merge_atom>,
    // INTERNAL: it is time to collect; to sweep; to let untouched timelines go that nobody uses.
    caf::reacts_to<collect_atom>, caf::reacts_to<sweep_atom>, caf::reacts_to<tick_atom>,
    // INTERNAL: collects what the last round had no room for.
    caf::reacts_to<more_atom>,
    // INTERNAL: restarts what is to be restarted.
    caf::reacts_to<watch_atom>>;

}  // namespace zenith::actors
