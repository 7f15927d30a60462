// What a timeline does for its layers; every function looks at the state as it is when it is
// called.
#include "actors/timeline_layers.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/timeline.hpp"

namespace zenith::actors {
namespace {

using steady = layer_duties::steady;

bool has_to_freeze(timeline_pointer self) {
  const timeline_state& state = self->state;
  const layer_duties& duties = state.duties;
  const auto& layers = state.store->layers();
  if (layers.open_layer()->is_empty()) return false;
  if (duties.ends) return *duties.ends == closing::write;
  if (layers.is_full() || (duties.account && duties.account->has_to_freeze())) return true;
  const layer_parameters& how = state.parameters.layers;
  if (duties.open_since && self->clock().now() - *duties.open_since >= how.open_age_max)
    return true;
  if (duties.freeze_wanted || duties.leave_asked) return true;
  return std::ranges::any_of(duties.settling_children, [&](const layer_duties::settling& one) {
    return one.when == urgency::now && one.at > layers.open_layer()->start();
  });
}

// False where the timeline has ended.
bool freeze_if_due(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  if (has_to_freeze(self)) {
    const auto frozen = state.store->freeze();
    if (!frozen) {
      fail_timeline(self, frozen.error());
      return false;
    }
    tell_durable(state);
    duties.open_since.reset();
  }
  duties.freeze_wanted = false;
  if (state.store->layers().open_layer()->is_empty()) {
    duties.open_since.reset();
  } else if (!duties.open_since) {
    duties.open_since = self->clock().now();
  }
  return true;
}

uint64_t held_bytes(layer_duties& duties) {
  std::erase_if(duties.written, [](const auto& one) { return one.expired(); });
  uint64_t bytes = 0;
  for (const auto& one : duties.written)
    if (const auto held = one.lock()) bytes += held->size_bytes();
  return bytes;
}

// Tells the budget what is in memory, and the receiver whether there is room for more.
void weigh(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  const auto& layers = state.store->layers();
  duties.waits_for.clear();
  if (layers.is_behind()) {
    duties.waits_for = "waits for its layers to be written and merged";
    if (!duties.problem().empty()) duties.waits_for += ": " + duties.problem();
  }
  if (duties.account) {
    const bool is_empty = layers.open_layer()->is_empty();
    duties.account->set(
        {is_empty ? 0 : layers.open_bytes(), layers.frozen_bytes(), held_bytes(duties)});
    if (duties.account->has_to_wait() && duties.waits_for.empty())
      duties.waits_for = "waits for memory: layers that are not written take all that they may";
  }
  if (state.window) state.window->set_paused(!duties.waits_for.empty());
  // Nobody tells when what was written is read no more.
  if (!duties.waits_for.empty()) tend_later(self, state.parameters.layers.retry_min);
}

void answer_children(timeline_pointer self) {
  timeline_state& state = self->state;
  auto waiting = std::exchange(state.duties.settling_children, {});
  for (layer_duties::settling& one : waiting) {
    auto base = state.store->base_at(one.at);
    if (!base) {
      one.promise.deliver(to_caf(base.error()));
    } else if ((*base)->layers.memory.empty()) {
      one.promise.deliver(std::move(*base));
    } else if (one.when == urgency::now && !state.duties.writes.problem.empty()) {
      one.promise.deliver(to_caf({errc::io, state.duties.writes.problem}));
    } else {
      state.duties.settling_children.push_back(std::move(one));
    }
  }
}

void answer_merge_requests(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  if (duties.merge_requests.empty()) return;
  const bool has_failed = !duties.problem().empty();
  const auto& layers = state.store->layers();
  const bool is_merged = !duties.merges.is_out && (!duties.merge_is_due || !layers.has_manifest());
  if (!has_failed && !is_merged) return;
  const timeline_status status = status_of(state);
  auto waiting = std::exchange(duties.merge_requests, {});
  for (auto& one : waiting) {
    if (has_failed)
      one.promise.deliver(to_caf({errc::io, layers_problem_of(state)}));
    else if (layers.frozen_bytes() == 0 || layers.disk_consistent().at >= one.written_until)
      one.promise.deliver(status);
    else
      duties.merge_requests.push_back(std::move(one));
  }
}

// Ends where that was asked for and nothing is in its way. What could not be written is in the WAL.
bool end_if_due(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  if (!duties.ends || duties.has_jobs_out()) return false;
  const auto& layers = state.store->layers();
  const bool writes_go_on = *duties.ends == closing::write && layers.frozen_bytes() != 0 &&
                            state.parameters.layers.background && !layers.waits_for_parent() &&
                            duties.writes.problem.empty();
  if (writes_go_on) return false;
  const lsn durable = state.store->durable();
  for (auto& promise : std::exchange(duties.end_requests, {})) promise.deliver(durable);
  self->quit();
  return true;
}

bool is_used(timeline_pointer self) {
  const timeline_state& state = self->state;
  const layer_duties& duties = state.duties;
  // The timeline itself holds the window as well.
  if ((state.window && state.window.use_count() > 1) || !state.records->empty() ||
      !state.received->empty() || !duties.merge_requests.empty() || duties.ends || state.draining)
    return true;
  if (!duties.leave_requests.empty()) return duties.was_used;
  return self->clock().now() - duties.last_used < state.parameters.layers.idle_timeout;
}

void answer_leave_requests(layer_duties& duties, const result<bool>& has_left) {
  for (auto& promise : std::exchange(duties.leave_requests, {}))
    has_left ? promise.deliver(*has_left) : promise.deliver(to_caf(has_left.error()));
}

// What is in memory goes to files first; then the supervisor is asked, which may know better.
void leave_if_idle(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  const layer_parameters& how = state.parameters.layers;
  if (duties.leaves) return;
  if (!how.supervisor || !how.background || is_used(self)) {
    duties.leave_asked = false;
    answer_leave_requests(duties, false);
    return;
  }
  // What cannot be written is tried again, and the timeline stays open as long.
  if (!duties.leave_requests.empty() && !duties.writes.problem.empty())
    return answer_leave_requests(duties, fail(errc::io, duties.writes.problem));
  const auto& layers = state.store->layers();
  if (!duties.leave_asked) {
    duties.leave_asked = true;
    if (!freeze_if_due(self)) return;
    write_next(self);
  }
  if (layers.frozen_bytes() != 0 || duties.has_jobs_out() || !duties.settling_children.empty())
    return;
  duties.last_used = self->clock().now();
  duties.leave_asked = false;
  duties.leaves = true;
  const auto stays = [=] {
    self->state.duties.leaves = false;
    answer_leave_requests(self->state.duties, false);
  };
  self->request(how.supervisor, caf::infinite, leave_atom::value, status_of(state))
      .then(
          [=](bool may_go) {
            if (!may_go) return stays();
            spdlog::info("timeline {}: closed, nobody uses it",
                         to_string(self->state.parameters.store.metadata.id));
            // Behind all that was asked before the supervisor knew.
            caf::anon_send(caf::actor_cast<timeline_actor>(self), close_atom::value,
                           closing::discard);
          },
          [=](caf::error&) { stays(); });
}

}  // namespace

layer_duties::~layer_duties() {
  writes.cancelled->store(true);
  merges.cancelled->store(true);
  const caf::error gone = to_caf({errc::unavailable, "the timeline is closing"});
  for (settling& one : settling_children) one.promise.deliver(gone);
  for (merge_request& one : merge_requests) one.promise.deliver(gone);
  for (auto& promise : end_requests) promise.deliver(gone);
  for (auto& promise : leave_requests) promise.deliver(true);
}

std::function<bool(uint64_t)> join_budget(timeline_pointer self) {
  layer_duties& duties = self->state.duties;
  const layer_parameters& how = self->state.parameters.layers;
  if (!how.budget) return nullptr;
  duties.account = how.budget->join([me = caf::actor_cast<caf::weak_actor_ptr>(self)] {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(me))
      caf::anon_send(caf::actor_cast<timeline_actor>(strong), tend_atom::value);
  });
  return [account = duties.account.get()](uint64_t unwritten_bytes) {
    account->set({unwritten_bytes, 0, 0});
    return account->has_to_freeze() || account->has_to_wait();
  };
}

void begin_tending(timeline_pointer self) {
  self->state.duties.last_used = self->clock().now();
  tend(self);
  schedule_tick(self);
}

void note_use(timeline_pointer self) {
  self->state.duties.last_used = self->clock().now();
  self->state.duties.was_used = true;
}

void schedule_tick(timeline_pointer self) {
  const layer_parameters& how = self->state.parameters.layers;
  if (!how.background) return;
  const auto pause = std::clamp(std::min(how.open_age_max, how.idle_timeout) / 4,
                                std::chrono::milliseconds(50), std::chrono::milliseconds(10'000));
  self->delayed_send(self, pause, tick_atom::value);
}

void tend_later(timeline_pointer self, std::chrono::milliseconds pause) {
  if (std::exchange(self->state.duties.tends_later, true)) return;
  self->delayed_send(self, pause, tend_atom::value);
}

void tend(timeline_pointer self) {
  timeline_state& state = self->state;
  if (!state.store) return;
  if (!freeze_if_due(self)) return;
  write_next(self);
  merge_next(self);
  ask_parent(self);
  weigh(self);
  answer_children(self);
  answer_merge_requests(self);
  if (end_if_due(self)) return;
  leave_if_idle(self);
}

caf::result<branch_base_ptr> settle(timeline_pointer self, lsn at, urgency when) {
  auto promise = self->make_response_promise<branch_base_ptr>();
  self->state.duties.settling_children.push_back({at, when, promise});
  tend(self);
  return promise;
}

caf::result<timeline_status> merge_all(timeline_pointer self, merge_goal goal) {
  layer_duties& duties = self->state.duties;
  auto promise = self->make_response_promise<timeline_status>();
  duties.merge_requests.push_back({self->state.store->end(), promise});
  duties.freeze_wanted = true;
  duties.merge_is_due = true;
  if (goal == merge_goal::space) duties.collects = true;
  for (layer_duties::work* one : {&duties.writes, &duties.merges}) {
    one->succeeded();
    one->not_before = {};
  }
  duties.parent_problem.clear();
  duties.parent_not_before = {};
  tend(self);
  return promise;
}

caf::result<bool> leave_unused(timeline_pointer self) {
  auto promise = self->make_response_promise<bool>();
  self->state.duties.leave_requests.push_back(promise);
  tend(self);
  return promise;
}

caf::result<lsn> close_timeline(timeline_pointer self, closing how) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  auto promise = self->make_response_promise<lsn>();
  // Whoever asked is answered when nothing works for it any more.
  duties.end_requests.push_back(promise);
  if (!state.store) {
    end_failed(self);
    return promise;
  }
  if (auto synced = state.store->sync(); !synced) {
    fail_timeline(self, synced.error());
    return promise;
  }
  duties.ends = how;
  duties.merges.cancelled->store(true);
  if (how == closing::discard) duties.writes.cancelled->store(true);
  tend(self);
  return promise;
}

void tell_durable(const timeline_state& state) {
  if (state.window) state.window->set_durable(state.store->durable(), state.store->synced());
}

void fail_timeline(timeline_pointer self, const error& why) {
  timeline_state& state = self->state;
  spdlog::error("timeline {}: {}", to_string(state.parameters.store.metadata.id), why.message);
  state.failure = why;
  state.duties.writes.cancelled->store(true);
  state.duties.merges.cancelled->store(true);
  state.records->end();
  state.received->end();
  state.store.reset();
  state.window = nullptr;
  end_failed(self);
}

void end_failed(timeline_pointer self) {
  timeline_state& state = self->state;
  if (state.duties.has_jobs_out()) return;
  const caf::error why = to_caf(*state.failure);
  for (auto& promise : std::exchange(state.duties.end_requests, {})) promise.deliver(why);
  self->quit(why);
}

std::string layers_problem_of(const timeline_state& state) {
  const layer_duties& duties = state.duties;
  if (!duties.waits_for.empty()) return duties.waits_for;
  if (!duties.problem().empty()) return duties.problem();
  return state.store ? state.store->layers().unreadable().problem() : "";
}

void add_layers(const timeline_state& state, timeline_status& status) {
  const auto& store = *state.store;
  const layers::manifest& recorded = store.layers().recorded();
  status.readable_from = store.oldest().value();
  status.memory_bytes = store.layers().open_bytes() + store.layers().frozen_bytes();
  status.layers = recorded.map.slices();
  status.layer_bytes = recorded.map.size_bytes();
  status.layer_depth = recorded.map.depth();
  status.wal_bytes = store.end() - store.metadata().start;
  status.flushed_bytes = recorded.flushed_bytes;
  status.merged_bytes = recorded.merged_bytes;
}

}  // namespace zenith::actors
