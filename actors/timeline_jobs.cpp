// The jobs of a timeline's layers: what is written and merged, what its parent is asked for.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/timeline.hpp"

namespace zenith::actors {
namespace {

using layers::layer_store;

std::string id_of(const timeline_state& state) {
  return to_string(state.parameters.store.metadata.id);
}

// A job may be tried again later, each time after a longer pause.
void note_failure(timeline_pointer self, layer_duties::work& work, const char* what,
                  const error& why) {
  const layer_parameters& how = self->state.parameters.layers;
  if (work.problem != why.message)
    spdlog::error("timeline {}: {}: {}", id_of(self->state), what, why.message);
  work.problem = why.message;
  work.backoff = std::clamp(work.backoff * 2, how.retry_min, how.retry_max);
  work.not_before = self->clock().now() + work.backoff;
  tend_later(self, work.backoff);
}

bool may_begin(timeline_pointer self, const layer_duties::work& work) {
  return self->state.parameters.layers.background && !work.is_out &&
         self->clock().now() >= work.not_before;
}

// Runs a job; calls back with what came of it, unless the timeline has ended meanwhile.
template <class Job, class Run, class Done>
void run_job(timeline_pointer self, layer_job::kind what, const Job& job, Run run, Done done) {
  layer_duties& duties = self->state.duties;
  layer_duties::work& work = what == layer_job::kind::write ? duties.writes : duties.merges;
  work.is_out = true;
  auto sent = std::make_shared<layer_job>();
  sent->what = what;
  sent->cancelled = work.cancelled;
  sent->run = [job, run](const std::function<bool()>& stop) { return run(job, stop); };
  const auto over = [=, &work](const result<layers::written_layers>& outcome) {
    work.is_out = false;
    if (!self->state.store) return end_failed(self);
    done(outcome);
    tend(self);
  };
  self->request(self->state.parameters.layers.background, caf::infinite, run_atom::value,
                layer_job_ptr{sent})
      .then([over](const layer_outcome_ptr& outcome) { over(*outcome); },
            [over](caf::error& failure) { over(tl::unexpected<error>(from_caf(failure))); });
}

void trim_wal(timeline_pointer self, const kept_states& kept) {
  const auto done = self->state.store->trim_wal(kept.wal_window, actors::now());
  if (!done)
    spdlog::error("timeline {}: WAL that is not needed stays: {}", id_of(self->state),
                  done.error().message);
  else if (done->files != 0)
    spdlog::info("timeline {}: removed {} WAL segments that are not needed, {} bytes",
                 id_of(self->state), done->files, done->bytes);
}

void run_merge(timeline_pointer self) {
  layer_duties& duties = self->state.duties;
  auto& store = *self->state.store;
  const auto job = store.layers().next_merge(store.kept(), duties.collects);
  if (!job) return note_failure(self, duties.merges, "no merge can be chosen", job.error());
  if (!*job) {
    duties.merge_is_due = false;
    duties.collects = false;
    duties.merges.succeeded();
    return;
  }
  run_job(
      self, layer_job::kind::merge, **job,
      [](const layer_store::merge_job& one, const std::function<bool()>& stop) {
        return one.run(stop);
      },
      [=, merge = **job](const result<layers::written_layers>& outcome) {
        timeline_state& state = self->state;
        if (!outcome) {
          state.store->layers().abandon(merge);
          // A merge that was told to end has not failed.
          if (outcome.error().code == errc::unavailable && state.duties.ends) return;
          return note_failure(self, state.duties.merges, "layers were not merged", outcome.error());
        }
        if (auto installed = state.store->layers().install(merge, *outcome); !installed)
          return note_failure(self, state.duties.merges, "merged layers do not count",
                              installed.error());
        for (const layers::unreadable_part& one : outcome->unreadable)
          spdlog::error("timeline {}: merges leave out {} to {} of a layer file: {}", id_of(state),
                        to_string(one.keys.first), to_string(one.keys.last), one.why.message);
        state.store->layers_changed();
        state.duties.merges.succeeded();
        if (const auto& supervisor = state.parameters.layers.supervisor)
          self->send(supervisor, merge_atom::value);
      });
}

}  // namespace

result<void> keep_states(repository::timeline_store& store, const kept_states& kept) {
  ZENITH_TRY_ASSIGN(const lsn horizon, store.horizon(kept.window, actors::now()));
  return store.retain(kept.needed->retention_of(store.metadata().id, horizon), kept.needed);
}

void write_next(timeline_pointer self) {
  layer_duties& duties = self->state.duties;
  if (!may_begin(self, duties.writes)) return;
  const auto job = self->state.store->layers().next_write();
  if (!job) return;
  run_job(
      self, layer_job::kind::write, *job,
      [](const layer_store::write_job& one, const std::function<bool()>&) { return one.run(); },
      [=](const result<layers::written_layers>& outcome) {
        timeline_state& state = self->state;
        if (!outcome) {
          state.store->layers().abandon(*job);
          return note_failure(self, state.duties.writes, "a layer was not written",
                              outcome.error());
        }
        if (auto installed = state.store->layers().install(*job, *outcome); !installed)
          return note_failure(self, state.duties.writes, "a written layer does not count",
                              installed.error());
        state.duties.written.push_back(job->frozen);
        state.store->layers_changed();
        state.duties.merge_is_due = true;
        state.duties.writes.succeeded();
        // This job holds it still: only then is its memory weighed as free.
        tend_later(self, state.parameters.layers.retry_min);
      });
}

// What is kept is asked for before each merge: names come and go, and time passes.
void merge_next(timeline_pointer self) {
  layer_duties& duties = self->state.duties;
  const layer_parameters& how = self->state.parameters.layers;
  if (!duties.merge_is_due || duties.ends || !may_begin(self, duties.merges) ||
      !self->state.store->layers().has_manifest())
    return;
  if (!how.supervisor) return run_merge(self);
  duties.merges.is_out = true;
  const auto over = [=](const error* why) {
    layer_duties& now = self->state.duties;
    now.merges.is_out = false;
    if (!self->state.store) return end_failed(self);
    if (why != nullptr)
      note_failure(self, now.merges, "what is to be kept is not known", *why);
    else if (!now.ends)
      run_merge(self);
    tend(self);
  };
  self->request(how.supervisor, caf::infinite, keep_atom::value, id_of(self->state))
      .then(
          [=](const kept_states_ptr& kept) {
            result<void> done;
            if (auto& store = self->state.store; store) {
              done = keep_states(*store, *kept);
              // Who collects by hand is told what went, and so removes it himself.
              if (done && !self->state.duties.collects) trim_wal(self, *kept);
            }
            over(done ? nullptr : &done.error());
          },
          [=](caf::error& failure) {
            const error why = from_caf(failure);
            over(&why);
          });
}

// A child's first layer names files only: what it inherits has to be in some.
void ask_parent(timeline_pointer self) {
  timeline_state& state = self->state;
  layer_duties& duties = state.duties;
  auto& layers = state.store->layers();
  if (!layers.waits_for_parent()) return;
  const urgency when = layers.frozen_bytes() != 0 ? urgency::now : urgency::whenever;
  if (duties.parent_asked && *duties.parent_asked >= when) return;
  if (self->clock().now() < duties.parent_not_before) return;
  const auto failed = [=](const error& why) {
    layer_duties& now = self->state.duties;
    spdlog::warn("timeline {}: its parent's layers are asked for again: {}", id_of(self->state),
                 why.message);
    // Where nothing of its own waits for them it is no problem yet.
    if (self->state.store && self->state.store->layers().frozen_bytes() != 0)
      now.parent_problem = "its parent's layers are not written: " + why.message;
    now.parent = nullptr;
    now.parent_asked.reset();
    const auto pause = self->state.parameters.layers.retry_max;
    now.parent_not_before = self->clock().now() + pause;
    tend_later(self, pause);
  };
  if (duties.parent) {
    duties.parent_asked = when;
    self->request(duties.parent, caf::infinite, settle_atom::value, state.store->metadata().start,
                  when)
        .then(
            [=](const branch_base_ptr& base) {
              self->state.duties.parent_asked.reset();
              self->state.duties.parent_problem.clear();
              if (!self->state.store) return;
              self->state.store->inherit(*base);
              tend(self);
            },
            [=](caf::error& failure) { failed(from_caf(failure)); });
    return;
  }
  if (!state.parameters.layers.supervisor) return;
  duties.parent_asked = when;
  self->request(state.parameters.layers.supervisor, caf::infinite, source_atom::value, id_of(state))
      .then(
          [=](const inherited_from& source) {
            self->state.duties.parent = source.timeline;
            self->state.duties.parent_asked.reset();
            if (self->state.store) ask_parent(self);
          },
          [=](caf::error& failure) { failed(from_caf(failure)); });
}

}  // namespace zenith::actors
