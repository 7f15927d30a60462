// A timeline actor with its layers in files in memory, for tests of what it does for them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "actors/background.hpp"
#include "actors/timeline.hpp"
#include "storage/layers/manifest.hpp"
#include "tests/actors/deterministic.hpp"
#include "tests/actors/made_timeline.hpp"
#include "tests/actors/stand_in_supervisor.hpp"

namespace zenith::actors {

using namespace std::chrono_literals;

inline result<layers::written_layers> fail_cancelled() {
  return fail(errc::unavailable, "the job was cancelled");
}

// Keeps the jobs that it is asked for until it is told to run them.
using holding_actor = background_actor::extend<caf::reacts_to<tend_atom>>;
struct held_jobs {
  struct asked {
    layer_job_ptr job;
    caf::typed_response_promise<layer_outcome_ptr> promise;
  };
  std::vector<asked> all;
};
inline holding_actor::behavior_type holding_background(holding_actor::pointer self,
                                                       std::shared_ptr<held_jobs> jobs) {
  return {[=](run_atom, const layer_job_ptr& job) -> caf::result<layer_outcome_ptr> {
            auto promise = self->make_response_promise<layer_outcome_ptr>();
            jobs->all.push_back({job, promise});
            return promise;
          },
          [=](tend_atom) {
            for (held_jobs::asked& one : std::exchange(jobs->all, {}))
              one.promise.deliver(
                  layer_outcome_ptr{std::make_shared<const result<layers::written_layers>>(
                      one.job->cancelled->load() ? fail_cancelled()
                                                 : one.job->run([] { return false; }))});
          }};
}

class timeline_layers_fixture : public ::testing::Test {
 protected:
  timeline_layers_fixture() {
    how.layers.open_age_max = 60s;
    how.layers.idle_timeout = 600s;
    how.layers.retry_min = 100ms;
    background_parameters pool;
    pool.workers = 2;
    pool.detached = false;
    how.layers.background = actors.spawn(background, pool);
  }
  timeline_actor open() {
    how.store = made.parameters();
    how.store.limits = limits;
    return actors.spawn(timeline, how, timeline_actor{});
  }
  timeline_actor open_child(const repository::timeline_store::parameters& store,
                            const timeline_actor& parent) {
    how.store = store;
    how.store.limits = limits;
    return actors.spawn(timeline, how, parent);
  }
  receiver_window_ptr follow(const timeline_actor& which) {
    auto window = std::make_shared<receiver_window>();
    actors.ask<lsn>(which, follow_atom::value, window);
    actors.settle();
    return window;
  }
  void send_changes(const timeline_actor& to, const receiver_window_ptr& from, int records = 1) {
    const lsn at = made.end();
    const bytes wal = made.change(records);
    caf::anon_send(to, wal_atom::value,
                   wal_chunk_ptr{std::make_shared<wal_chunk>(wal_chunk{from, at, wal})});
    actors.settle();
  }
  timeline_status status_of(const timeline_actor& which) {
    const auto status = actors.ask<timeline_status>(which, status_atom::value);
    actors.settle();
    return status->value().value();
  }
  void hold_jobs() {
    held = std::make_shared<held_jobs>();
    holder = actors.spawn(holding_background, held);
    how.layers.background = holder;
  }
  void run_held() {
    caf::anon_send(holder, tend_atom::value);
    actors.settle();
  }
  // Up to where a timeline's layers are in files.
  lsn written_until(const path& directory) {
    const auto there = layers::read_manifest(made.files, directory);
    return there ? there->disk_consistent : lsn{};
  }

  made_timeline made;
  layers::layer_limits limits;
  std::shared_ptr<held_jobs> held;
  holding_actor holder;
  deterministic actors;
  timeline_parameters how;
};

}  // namespace zenith::actors
