// The untouched timeline actor: answers of the start, and hands on the rest.
#include "actors/untouched_timeline.hpp"

#include <spdlog/spdlog.h>

#include "actors/errors.hpp"
#include "actors/view_waiter.hpp"
#include "storage/repository/untouched_timeline.hpp"

namespace zenith::actors {
namespace {

using self_pointer = timeline_actor::stateful_pointer<untouched_state>;
using repository::point_kind;

// Whether all up to the LSN is inherited.
bool is_covered(const untouched_state& state, lsn at) {
  return at.is_valid() &&
         repository::without_page_header(at, state.how.segment_size_bytes) <= state.how.start;
}

bool is_start(const untouched_state& state, lsn at) {
  return at.is_valid() &&
         repository::without_page_header(at, state.how.segment_size_bytes) == state.how.start;
}

void note_use(self_pointer self) { self->state.last_used = self->clock().now(); }

// The timeline itself answers, with a thread of its own.
template <class Answer, class... Question>
caf::result<Answer> hand_on(self_pointer self, Question... question) {
  note_use(self);
  auto promise = self->template make_response_promise<Answer>();
  const auto failed = [promise](caf::error& failure) { deliver(promise, std::move(failure)); };
  self->request(self->state.how.node->supervisor, caf::infinite, grow_atom::value,
                to_string(self->state.how.id))
      .then(
          [=](const timeline_actor& whole) {
            self->request(whole, caf::infinite, question...)
                .then([promise](Answer& answer) { deliver(promise, std::move(answer)); }, failed);
          },
          failed);
  return promise;
}

// Calls back with what the start is made from.
struct start_found {
  metadata_ptr timeline;
  branch_base_ptr base;
};
void find_start(self_pointer self, std::function<void(result<start_found>)> done) {
  note_use(self);
  const auto failed = [done](caf::error& failure) {
    done(tl::unexpected<error>(from_caf(failure)));
  };
  self->request(self->state.how.node->supervisor, caf::infinite, source_atom::value,
                to_string(self->state.how.id))
      .then(
          [=](const inherited_from& source) {
            self->request(source.timeline, caf::infinite, base_atom::value, self->state.how.start)
                .then(
                    [=](const branch_base_ptr& base) {
                      done(start_found{source.child, base});
                    },
                    failed);
          },
          failed);
}

view_ptr view_of(untouched_state& state, const start_found& start) {
  if (auto known = state.view.lock(); known && known->from() == start.base->from) return known;
  const auto& node = *state.how.node;
  auto made = repository::untouched_view(*start.timeline, *start.base, node.registry, node.cache);
  state.view = made;
  return made;
}

// The callback gets no view where the timeline itself has to tell whether the LSN is kept.
void find_view(self_pointer self, lsn at, std::function<void(result<view_ptr>)> done) {
  note_use(self);
  if (auto known = self->state.view.lock(); known && at >= known->from()) return done(known);
  find_start(self, [=](result<start_found> start) {
    if (!start) return done(tl::unexpected<error>(start.error()));
    done(at >= start->base->from ? view_of(self->state, *start) : nullptr);
  });
}

caf::result<view_ptr> answer_with_view(self_pointer self, lsn at) {
  if (!is_covered(self->state, at)) return hand_on<view_ptr>(self, view_atom::value, at);
  auto promise = self->make_response_promise<view_ptr>();
  find_view(self, at, [=](result<view_ptr> view) {
    if (!view) return deliver(promise, to_caf(view.error()));
    if (*view) return deliver(promise, std::move(*view));
    self->request(self->state.how.node->supervisor, caf::infinite, grow_atom::value,
                  to_string(self->state.how.id))
        .then(
            [=](const timeline_actor& whole) {
              self->request(whole, caf::infinite, view_atom::value, at)
                  .then([=](const view_ptr& found) { deliver(promise, found); },
                        [=](caf::error& failure) { deliver(promise, std::move(failure)); });
            },
            [=](caf::error& failure) { deliver(promise, std::move(failure)); });
  });
  return promise;
}

void deliver_view(self_pointer self, lsn at, const view_waiter_ptr& waiter) {
  const auto ask_whole = [=] {
    self->request(self->state.how.node->supervisor, caf::infinite, grow_atom::value,
                  to_string(self->state.how.id))
        .then([=](const timeline_actor& whole) { self->send(whole, view_atom::value, at, waiter); },
              [=](caf::error& failure) {
                waiter->deliver(tl::unexpected<error>(from_caf(failure)));
              });
  };
  note_use(self);
  if (!is_covered(self->state, at)) return ask_whole();
  find_view(self, at, [=](result<view_ptr> view) {
    if (view && !*view) return ask_whole();
    waiter->deliver(std::move(view));
  });
}

caf::result<point_found> answer_with_point(self_pointer self, const point_query& query) {
  const untouched_state& state = self->state;
  const bool is_end = query.kind == point_kind::end &&
                      (!query.position.is_valid() || is_covered(state, query.position));
  if (!is_end && !(query.kind == point_kind::position && is_start(state, query.position)))
    return hand_on<point_found>(self, point_atom::value, query);
  note_use(self);
  return point_found{state.how.start, state.how.start_previous_record, false};
}

caf::result<start_plan_ptr> answer_with_plan(self_pointer self, lsn at, start_purpose purpose) {
  if (purpose == start_purpose::write || !is_start(self->state, at))
    return hand_on<start_plan_ptr>(self, plan_atom::value, at, purpose);
  auto promise = self->make_response_promise<start_plan_ptr>();
  find_start(self, [=](result<start_found> start) {
    if (!start) return deliver(promise, to_caf(start.error()));
    deliver(promise, repository::untouched_plan(*start->timeline, *start->base,
                                                view_of(self->state, *start), purpose));
  });
  return promise;
}

// Of what came before the start the ancestor knows as much.
caf::result<int64_t> answer_with_time(self_pointer self, lsn at) {
  if (!is_covered(self->state, at)) return hand_on<int64_t>(self, lookup_atom::value, at);
  note_use(self);
  auto promise = self->make_response_promise<int64_t>();
  const auto failed = [promise](caf::error& failure) { deliver(promise, std::move(failure)); };
  self->request(self->state.how.node->supervisor, caf::infinite, source_atom::value,
                to_string(self->state.how.id))
      .then(
          [=](const inherited_from& source) {
            self->request(source.timeline, caf::infinite, lookup_atom::value, at)
                .then([=](int64_t time) { deliver(promise, time); }, failed);
          },
          failed);
  return promise;
}

void leave_if_idle(self_pointer self) {
  untouched_state& state = self->state;
  if (self->clock().now() - state.last_used < state.how.node->idle_timeout) return;
  self->request(state.how.node->supervisor, caf::infinite, leave_atom::value,
                untouched_status(state.how.id, state.how.start))
      .then(
          [=](bool may_go) {
            // Behind all that was asked before the supervisor knew.
            if (may_go)
              caf::anon_send(caf::actor_cast<timeline_actor>(self), close_atom::value,
                             closing::discard);
          },
          [](caf::error&) {});
}

}  // namespace

timeline_status untouched_status(const timeline_id& id, lsn start) {
  timeline_status status;
  status.id = to_string(id);
  status.start_lsn = status.last_lsn = status.durable_lsn = start.value();
  status.state = "open";
  return status;
}

timeline_actor::behavior_type untouched_timeline(self_pointer self,
                                                 untouched_parameters parameters) {
  self->state.how = std::move(parameters);
  note_use(self);
  return {
      [=](wal_atom, const wal_chunk_ptr&) {
        // Receivers are given the timeline itself.
        spdlog::error("timeline {}: WAL came that nobody asked for", to_string(self->state.how.id));
      },
      [=](follow_atom, const receiver_window_ptr& window) {
        return hand_on<lsn>(self, follow_atom::value, window);
      },
      [=](view_atom, lsn at, const view_waiter_ptr& waiter) { deliver_view(self, at, waiter); },
      [=](view_atom, lsn at) { return answer_with_view(self, at); },
      [=](point_atom, const point_query& query) { return answer_with_point(self, query); },
      [=](base_atom, lsn at) { return hand_on<branch_base_ptr>(self, base_atom::value, at); },
      [=](plan_atom, lsn at, start_purpose purpose) { return answer_with_plan(self, at, purpose); },
      [=](plan_atom, const metadata_ptr& updated) {
        return hand_on<lsn>(self, plan_atom::value, updated);
      },
      [=](drain_atom, const std::string& pg_wal) {
        return hand_on<lsn>(self, drain_atom::value, pg_wal);
      },
      [=](lookup_atom, lsn at) { return answer_with_time(self, at); },
      [=](status_atom) { return untouched_status(self->state.how.id, self->state.how.start); },
      [=](settle_atom, lsn at, urgency when) {
        return hand_on<branch_base_ptr>(self, settle_atom::value, at, when);
      },
      [=](merge_atom, merge_goal) {
        return untouched_status(self->state.how.id, self->state.how.start);
      },
      [](trim_atom, const kept_states_ptr&) {
        return std::make_shared<const repository::timeline_store::wal_trim>();
      },
      [](unsettled_atom) { return uint64_t{0}; },
      [](leave_atom) { return false; },
      [=](close_atom, closing) {
        self->quit();
        return self->state.how.start;
      },
      [](tend_atom) {},
      [=](tick_atom) { leave_if_idle(self); },
      [](sync_wal_atom) {},
      [](sweep_atom) {},
  };
}

}  // namespace zenith::actors
