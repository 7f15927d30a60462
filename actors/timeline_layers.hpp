// What a timeline does for its layers: freezes them, has them written and merged, waits and leaves.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/interfaces.hpp"
#include "storage/layers/memory_budget.hpp"

namespace zenith::actors {

struct timeline_state;
using timeline_pointer = timeline_actor::stateful_pointer<timeline_state>;

struct layer_parameters {
  background_actor background;  ///< null: nothing is written
  supervisor_actor supervisor;  ///< null: all is kept, and the timeline stays open
  /// Of all timelines; null: no bound.
  std::shared_ptr<layers::memory_budget> budget;
  std::chrono::milliseconds open_age_max{300'000};
  /// Without a request; no less than views live.
  std::chrono::milliseconds idle_timeout{600'000};
  std::chrono::milliseconds retry_min{100};
  std::chrono::milliseconds retry_max{10'000};
};

/// Part of a timeline's state.
struct layer_duties {
  using steady = std::chrono::steady_clock;
  layer_duties() = default;
  layer_duties(const layer_duties&) = delete;
  layer_duties& operator=(const layer_duties&) = delete;
  /// Who waits is told that the timeline ends, jobs that nothing is wanted of them.
  ~layer_duties();

  /// One kind of job: at most one of it is out.
  struct work {
    void succeeded() {
      problem.clear();
      backoff = {};
    }
    bool is_out = false;
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
    std::string problem;  ///< of the last one that failed
    std::chrono::milliseconds backoff{0};
    steady::time_point not_before;
  };
  struct settling {
    lsn at;
    urgency when;
    caf::typed_response_promise<branch_base_ptr> promise;
  };

  struct merge_request {
    lsn written_until;
    caf::typed_response_promise<timeline_status> promise;
  };

  timeline_actor parent;  ///< null: to be asked for
  std::unique_ptr<layers::memory_budget::account> account;
  work writes;
  work merges;
  bool merge_is_due = true;  ///< something has changed since none was due
  bool collects = false;     ///< merges that only free space are wanted
  std::optional<urgency> parent_asked;
  steady::time_point parent_not_before;
  std::string parent_problem;  ///< why it has not written what this one inherits
  std::vector<std::weak_ptr<const layers::memory_layer>> written;  ///< somebody may read them still
  std::optional<steady::time_point> open_since;  ///< the open layer holds something since then
  steady::time_point last_used;
  bool was_used = false;  ///< since it was opened, by others than who collects
  std::vector<settling> settling_children;
  std::vector<merge_request> merge_requests;
  bool freeze_wanted = false;
  std::optional<closing> ends;
  std::vector<caf::typed_response_promise<lsn>> end_requests;
  std::vector<caf::typed_response_promise<bool>> leave_requests;
  bool leave_asked = false;
  bool leaves = false;  ///< the supervisor is asked whether it may, or has said so
  bool tends_later = false;
  std::string waits_for;  ///< why no WAL is taken in now; empty where it is

  bool has_jobs_out() const { return writes.is_out || merges.is_out; }
  /// What failed last and was not done since; empty where nothing is.
  const std::string& problem() const {
    return !writes.problem.empty()   ? writes.problem
           : !merges.problem.empty() ? merges.problem
                                     : parent_problem;
  }
};

/// Before the store is opened: its memory counts. Gives what the store asks while it reads its WAL
/// (timeline_store::parameters::has_to_write).
std::function<bool(uint64_t)> join_budget(timeline_pointer self);
/// The store is open: what is to be done begins.
void begin_tending(timeline_pointer self);
/// Does what is due: freezes, hands out jobs, lets the receiver go on or wait, answers who waits.
/// To be called whenever something has changed. The timeline may have ended when it returns.
void tend(timeline_pointer self);
/// Does so again after a while: once, or as often as idle timelines and old layers need it.
void tend_later(timeline_pointer self, std::chrono::milliseconds pause);
void schedule_tick(timeline_pointer self);
/// Somebody asks for something: the timeline is not idle. Collecting is no use.
void note_use(timeline_pointer self);

// timeline_jobs.cpp. Each begins what is due, if it may; tend() calls them.
void write_next(timeline_pointer self);
void merge_next(timeline_pointer self);
void ask_parent(timeline_pointer self);

/// Keeps from now on what is to be kept. Errors: of reading layers, io.
result<void> keep_states(repository::timeline_store& store, const kept_states& kept);
/// The handlers of the messages of that name.
caf::result<branch_base_ptr> settle(timeline_pointer self, lsn at, urgency when);
caf::result<timeline_status> merge_all(timeline_pointer self, merge_goal goal);
caf::result<bool> leave_unused(timeline_pointer self);
caf::result<lsn> close_timeline(timeline_pointer self, closing how);
/// Tells the receiver, if there is one, how far the WAL is durable.
void tell_durable(const timeline_state& state);
/// Nothing of the store can be used any more: ends with this error once no job works for it.
void fail_timeline(timeline_pointer self, const error& why);
/// Ends one that has failed, unless a job works for it still: that one's end is waited for.
void end_failed(timeline_pointer self);

/// Why no WAL is taken in, or what was not written or merged; empty where all is well.
std::string layers_problem_of(const timeline_state& state);
/// The part of the status that is about layers.
void add_layers(const timeline_state& state, timeline_status& status);

}  // namespace zenith::actors
