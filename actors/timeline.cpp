// The timeline actor: unpacks messages, calls the timeline_store, answers.
#include "actors/timeline.hpp"

#include <spdlog/spdlog.h>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/view_waiter.hpp"

namespace zenith::actors {
namespace {

using self_pointer = timeline_pointer;
using steady = std::chrono::steady_clock;
using repository::arrival;
using repository::without_page_header;

constexpr std::chrono::milliseconds sweep_interval{50};
// Of each kind; the counts go on.
constexpr size_t failures_logged_max = 20;

error not_arrived(const timeline_state& state, lsn wanted) {
  return {errc::not_arrived, "LSN " + to_string(wanted) + " has not arrived on timeline " +
                                 to_string(state.store->metadata().id) + ", which ends at " +
                                 to_string(state.store->end()) +
                                 (state.window ? std::string() : "; no server writes to it now") +
                                 (state.problem.empty() ? std::string() : "; " + state.problem)};
}

error is_closing() { return {errc::unavailable, "the timeline is closing"}; }

// Calls `done` when the queue's LSN has arrived, or with the error when it has not in time.
void wait_for(self_pointer self, repository::arrival_queue& queue, lsn until,
              std::function<void(result<void>)> done) {
  timeline_state& state = self->state;
  const bool kept =
      queue.add(until, self->clock().now() + state.parameters.arrival_timeout,
                [self, until, done](arrival a) {
                  if (a == arrival::arrived) return done({});
                  done(tl::unexpected<error>(
                      a == arrival::ended ? is_closing() : not_arrived(self->state, until)));
                });
  if (!kept)
    return done(fail(errc::limit, "too many requests wait for WAL of timeline " +
                                      to_string(state.store->metadata().id)));
  if (!state.sweep_scheduled) {
    state.sweep_scheduled = true;
    self->delayed_send(self, sweep_interval, sweep_atom::value);
  }
}

// A timeline that could not be opened answers what it was asked until then, and ends, so that the
// next request finds a new actor that tries again.
const error& why_not_open(self_pointer self) {
  caf::anon_send(caf::actor_cast<timeline_actor>(self), close_atom::value, closing::discard);
  return *self->state.failure;
}

void make_durable(self_pointer self) {
  timeline_state& state = self->state;
  const auto durable = state.store->sync();
  if (!durable) return fail_timeline(self, durable.error());
  tell_durable(state);
}

// Answers who waits for WAL that is there now. False where the disk failed meanwhile.
bool tell_arrived(self_pointer self) {
  timeline_state& state = self->state;
  state.received->advance(state.store->received());
  if (state.store) state.records->advance(state.store->end());
  return state.store != nullptr;
}

void append(self_pointer self, const wal_chunk& chunk) {
  timeline_state& state = self->state;
  if (!state.store || chunk.from != state.window) return;
  const lsn before = state.store->end();
  const auto appended = state.store->append(chunk.at, chunk.data);
  // What was refused stays a problem until whole records from that place on have come.
  if (state.store->end() > before) state.problem.clear();
  if (!appended) {
    state.problem = "refused WAL: " + appended.error().message;
    spdlog::error("timeline {}: {}", to_string(state.store->metadata().id), state.problem);
    state.window->refuse(appended.error().message);
    state.window = nullptr;
    // Only opening it again tells what a disk that failed still has.
    if (appended.error().code == errc::io) return fail_timeline(self, appended.error());
  }
  if (!tell_arrived(self)) return;
  if (!state.sync_scheduled) {
    state.sync_scheduled = true;
    self->send(self, sync_wal_atom::value);
  }
  tend(self);
}

void answer_with_view(self_pointer self, lsn at, std::function<void(result<view_ptr>)> answer) {
  timeline_state& state = self->state;
  if (!state.store) return answer(tl::unexpected<error>(why_not_open(self)));
  if (!at.is_valid())
    return answer(fail(errc::invalid_argument,
                       "a request names LSN 0/0; each has to say as of "
                       "which LSN it reads"));
  note_use(self);
  at = without_page_header(at, state.store->metadata().segment_size_bytes);
  if (at <= state.store->end()) return answer(state.store->view_at(at));
  wait_for(self, *state.records, at, [self, answer, at](result<void> arrived) {
    if (!arrived) return answer(tl::unexpected<error>(arrived.error()));
    answer(self->state.store->view_at(at));
  });
}

// The point has to be durable before anything durable names it.
result<point_found> find_durable(self_pointer self, const point_query& query) {
  auto& store = *self->state.store;
  ZENITH_TRY_ASSIGN(auto found, store.find(query, actors::now()));
  if (store.durable() >= found.at) return found;
  const auto synced = store.sync();
  if (!synced) {
    fail_timeline(self, synced.error());
    return tl::unexpected<error>(synced.error());
  }
  if (*synced < found.at)
    return fail(errc::unavailable, "LSN " + to_string(found.at) + " is durable only up to " +
                                       to_string(*synced) + "; try again");
  return found;
}

caf::result<point_found> answer_with_point(self_pointer self, const point_query& query) {
  timeline_state& state = self->state;
  if (!state.store) return to_caf(why_not_open(self));
  note_use(self);
  const bool by_end = query.kind == repository::point_kind::end;
  const lsn there = by_end ? state.store->received() : state.store->end();
  const lsn wanted = query.kind == repository::point_kind::time ? lsn{} : query.position;
  if (without_page_header(wanted, state.store->metadata().segment_size_bytes) <= there)
    return reply(find_durable(self, query));
  // A position past the end is an error for a person, at once; only an end has to be waited for.
  if (!by_end) return to_caf(not_arrived(state, wanted));
  auto promise = self->make_response_promise<point_found>();
  wait_for(self, *state.received, wanted, [self, query, promise](result<void> arrived) {
    if (!arrived) return deliver(promise, to_caf(arrived.error()));
    auto found = find_durable(self, query);
    if (!found) return deliver(promise, to_caf(found.error()));
    deliver(promise, *found);
  });
  return promise;
}

// Keeps the first damage for `status`, and logs a bounded number.
std::function<void(const std::string&)> damage_log(timeline_state& state) {
  return [&state, left = failures_logged_max](const std::string& what) mutable {
    if (state.damage.empty()) state.damage = what;
    if (left == 0) return;
    --left;
    spdlog::error("timeline {}: {}{}", to_string(state.parameters.store.metadata.id), what,
                  left == 0 ? "; what follows of this kind is not logged any more" : "");
  };
}

void open_store(self_pointer self, std::shared_ptr<const repository::branch_base> base) {
  timeline_state& state = self->state;
  auto how = state.parameters.store;
  if (base) how.parent = std::move(base);
  how.on_failure = [note = damage_log(state)](const wal::raw_record& record,
                                              const error& cause) mutable {
    note("the record at " + to_string(record.start) + " was not understood: " + cause.message);
  };
  if (state.parameters.check_images) how.on_image_problem = damage_log(state);
  how.has_to_write = join_budget(self);
  const auto began = steady::now();
  auto opened = repository::timeline_store::open(std::move(how));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - began);
  const std::string id = to_string(state.parameters.store.metadata.id);
  if (!opened) {
    state.failure = opened.error();
    state.duties.account.reset();
    spdlog::error("timeline {}: cannot be opened: {}", id, opened.error().message);
    return;
  }
  state.store = std::move(*opened);
  spdlog::info("timeline {}: open up to {} after {} ms", id, to_string(state.store->end()),
               took.count());
  begin_tending(self);
}

void open_below(self_pointer self, timeline_actor parent) {
  timeline_state& state = self->state;
  if (!parent) return open_store(self, nullptr);
  self->state.duties.parent = parent;
  const lsn start = state.parameters.store.metadata.start;
  // Nothing else is processed until the parent has answered.
  self->request(parent, caf::infinite, base_atom::value, start)
      .await([=](const branch_base_ptr& base) { open_store(self, base); },
             [=](caf::error& failure) {
               self->state.failure = from_caf(failure);
               spdlog::error("timeline {}: its parent cannot be read: {}",
                             to_string(self->state.parameters.store.metadata.id),
                             self->state.failure->message);
             });
}

// Two that have one folder open would write over each other's files. Nothing else is processed
// until the former one has ended.
void open(self_pointer self, timeline_actor parent) {
  const timeline_actor before = std::exchange(self->state.parameters.before, nullptr);
  if (!before) return open_below(self, std::move(parent));
  self->request(before, caf::infinite, close_atom::value, closing::discard)
      .await([=](lsn) { open_below(self, parent); },
             [=](caf::error&) { open_below(self, parent); });
}

// One segment after the other, as far as the layers keep up.
void go_on_draining(self_pointer self) {
  timeline_state& state = self->state;
  if (!state.draining || !state.store) return;
  if (!state.duties.waits_for.empty()) {
    // What cannot be written may never be: the server's files have the rest, for a later attempt.
    if (state.duties.problem().empty()) return;
    const auto promise = state.draining->promise;
    state.draining.reset();
    deliver(promise, to_caf({errc::unavailable, "not all of the server's WAL is taken in: " +
                                                    state.duties.waits_for}));
    return;
  }
  const auto more = state.store->drain(state.draining->pg_wal);
  if (!tell_arrived(self)) return;
  if (more && *more) {
    caf::anon_send(caf::actor_cast<timeline_actor>(self), tend_atom::value);
    return;
  }
  result<lsn> done = more ? state.store->begin_stream() : tl::unexpected<error>(more.error());
  if (done) done = state.store->sync();
  auto promise = state.draining->promise;
  state.draining.reset();
  if (done) {
    promise.deliver(*done);
    return;
  }
  promise.deliver(to_caf(done.error()));
  if (done.error().code == errc::io) fail_timeline(self, done.error());
}

caf::result<lsn> begin_draining(self_pointer self, const std::string& pg_wal) {
  timeline_state& state = self->state;
  if (state.draining)
    return to_caf({errc::conflict, "WAL of another server is being taken in already"});
  if (auto begun = state.store->begin_stream(); !begun) {
    const error why = begun.error();
    if (why.code == errc::io) fail_timeline(self, why);
    return to_caf(why);
  }
  state.draining = {pg_wal, self->make_response_promise<lsn>()};
  const auto promise = state.draining->promise;
  go_on_draining(self);
  return promise;
}

// Runs `act` on the store, or answers why there is none: for who collects.
template <class Answer, class Act>
caf::result<Answer> with_unused_store(self_pointer self, Act act) {
  timeline_state& state = self->state;
  if (!state.store) return to_caf(why_not_open(self));
  return reply<Answer>(act(*state.store));
}

// The same, for all others.
template <class Answer, class Act>
caf::result<Answer> with_store(self_pointer self, Act act) {
  if (self->state.store) note_use(self);
  return with_unused_store<Answer>(self, act);
}

}  // namespace

timeline_status status_of(const timeline_state& state) {
  timeline_status status;
  status.id = to_string(state.parameters.store.metadata.id);
  status.start_lsn = state.parameters.store.metadata.start.value();
  status.state = state.store ? "open" : "failed";
  status.problem = state.failure            ? state.failure->message
                   : !state.problem.empty() ? state.problem
                                            : layers_problem_of(state);
  if (status.problem.empty()) status.problem = state.damage;
  if (state.store) {
    status.last_lsn = state.store->end().value();
    status.durable_lsn = state.store->durable().value();
    if (state.window) status.lag_bytes = state.window->lag_bytes();
    const layers::image_counts images = state.store->images();
    status.images_checked = images.checked;
    status.image_mismatches = images.mismatches;
    status.image_failures = images.failures;
    add_layers(state, status);
  }
  return status;
}

timeline_state::~timeline_state() {
  if (records) records->end();
  if (received) received->end();
  if (draining) draining->promise.deliver(to_caf(is_closing()));
  // Who is told that it has left (duties) finds its files in use no more.
  store.reset();
}

timeline_actor::behavior_type timeline(self_pointer self, timeline_parameters parameters,
                                       timeline_actor parent) {
  self->state.records.emplace(parameters.waiting_max);
  self->state.received.emplace(parameters.waiting_max);
  self->state.parameters = std::move(parameters);
  open(self, std::move(parent));
  return {
      [=](wal_atom, const wal_chunk_ptr& chunk) { append(self, *chunk); },
      [=](follow_atom, const receiver_window_ptr& window) {
        return with_store<lsn>(self, [&](auto& store) -> result<lsn> {
          const auto from = store.begin_stream();
          if (!from) {
            // `store` is gone where the disk failed: only opening it again tells what is left.
            const error why = from.error();
            if (why.code == errc::io) fail_timeline(self, why);
            return tl::unexpected<error>(why);
          }
          self->state.window = window;
          tell_durable(self->state);
          return *from;
        });
      },
      [=](view_atom, lsn at, const view_waiter_ptr& waiter) {
        answer_with_view(self, at, [waiter](auto view) { waiter->deliver(std::move(view)); });
      },
      [=](view_atom, lsn at) -> caf::result<view_ptr> {
        auto promise = self->make_response_promise<view_ptr>();
        answer_with_view(self, at, [promise](result<view_ptr> view) {
          if (!view) return deliver(promise, to_caf(view.error()));
          deliver(promise, std::move(*view));
        });
        return promise;
      },
      [=](point_atom, const point_query& query) { return answer_with_point(self, query); },
      [=](base_atom, lsn at) {
        return with_store<branch_base_ptr>(self, [&](auto& store) { return store.base_at(at); });
      },
      [=](plan_atom, lsn at, start_purpose purpose) {
        return with_store<start_plan_ptr>(self,
                                          [&](auto& store) { return store.plan(at, purpose); });
      },
      [=](plan_atom, const metadata_ptr& updated) {
        return with_store<lsn>(self, [&](auto& store) -> result<lsn> {
          if (const auto switched = store.switch_pg_timeline(*updated); !switched) {
            const error why = switched.error();
            if (why.code == errc::io) fail_timeline(self, why);
            return tl::unexpected<error>(why);
          }
          return store.end();
        });
      },
      [=](drain_atom, const std::string& pg_wal) -> caf::result<lsn> {
        if (!self->state.store) return to_caf(why_not_open(self));
        note_use(self);
        return begin_draining(self, pg_wal);
      },
      [=](lookup_atom, lsn at) {
        return with_store<int64_t>(self, [&](auto& store) -> result<int64_t> {
          ZENITH_TRY_ASSIGN(const auto time, store.newest_commit(at));
          return time ? time->microseconds() : 0;
        });
      },
      [=](status_atom) { return status_of(self->state); },
      [=](settle_atom, lsn at, urgency when) -> caf::result<branch_base_ptr> {
        if (!self->state.store) return to_caf(why_not_open(self));
        return settle(self, at, when);
      },
      [=](merge_atom, merge_goal goal) -> caf::result<timeline_status> {
        if (!self->state.store) return to_caf(why_not_open(self));
        return merge_all(self, goal);
      },
      [=](trim_atom, const kept_states_ptr& kept) {
        return with_unused_store<wal_trim_ptr>(self, [&](auto& store) -> result<wal_trim_ptr> {
          using trim = repository::timeline_store::wal_trim;
          ZENITH_TRY(keep_states(store, *kept));
          ZENITH_TRY_ASSIGN(trim done, store.trim_wal(kept->wal_window, actors::now()));
          return std::make_shared<const trim>(std::move(done));
        });
      },
      [=](unsettled_atom) {
        return with_unused_store<uint64_t>(
            self, [](auto& store) -> result<uint64_t> { return store.layers().unsettled_from(); });
      },
      [=](leave_atom) -> caf::result<bool> {
        if (!self->state.store) return to_caf(why_not_open(self));
        return leave_unused(self);
      },
      [=](close_atom, closing how) { return close_timeline(self, how); },
      [=](tend_atom) {
        self->state.duties.tends_later = false;
        tend(self);
        go_on_draining(self);
      },
      [=](tick_atom) {
        tend(self);
        schedule_tick(self);
      },
      [=](sync_wal_atom) {
        self->state.sync_scheduled = false;
        if (self->state.store) make_durable(self);
      },
      [=](sweep_atom) {
        timeline_state& state = self->state;
        state.sweep_scheduled = false;
        const auto time = self->clock().now();
        state.records->expire(time);
        state.received->expire(time);
        if (state.records->empty() && state.received->empty()) return;
        state.sweep_scheduled = true;
        self->delayed_send(self, sweep_interval, sweep_atom::value);
      },
  };
}

}  // namespace zenith::actors
