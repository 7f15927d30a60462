// The background actor: two queues, and workers that are told to run one job at a time.
#include "actors/background.hpp"

#include <deque>
#include <exception>
#include <vector>

#include "actors/errors.hpp"

namespace zenith::actors {
namespace {

using worker_actor = caf::typed_actor<
    // Runs the job; answers with what came of it.
    caf::replies_to<run_atom, layer_job_ptr>::with<layer_outcome_ptr>>;

layer_outcome_ptr outcome_of(result<layers::written_layers> done) {
  return std::make_shared<const result<layers::written_layers>>(std::move(done));
}

layer_outcome_ptr run(const layer_job& job, const std::atomic<bool>& stopping) {
  const auto stop = [&] {
    return job.cancelled->load(std::memory_order_relaxed) ||
           (job.what == layer_job::kind::merge && stopping.load(std::memory_order_relaxed));
  };
  if (stop()) return outcome_of(fail(errc::unavailable, "the job was cancelled"));
  // A worker that ended would be missed by all timelines.
  try {
    return outcome_of(job.run(stop));
  } catch (const std::exception& unexpected) {
    return outcome_of(fail(errc::limit, unexpected.what()));
  }
}

worker_actor::behavior_type worker(worker_actor::pointer,
                                   const std::shared_ptr<const std::atomic<bool>>& stopping) {
  return {[=](run_atom, const layer_job_ptr& job) { return run(*job, *stopping); }};
}

/// What the actor holds.
struct queues {
  struct asked {
    layer_job_ptr job;
    caf::typed_response_promise<layer_outcome_ptr> promise;
  };
  std::deque<asked> writes;
  std::deque<asked> merges;
  std::vector<worker_actor> idle;
  size_t merging = 0;
  size_t merging_max = 1;
};

// Gives each idle worker a job, as far as there are any.
void hand_out(background_actor::pointer self, const std::shared_ptr<queues>& all) {
  while (!all->idle.empty()) {
    const bool is_merge = all->writes.empty();
    if (is_merge && (all->merges.empty() || all->merging == all->merging_max)) return;
    auto& from = is_merge ? all->merges : all->writes;
    const auto next = std::move(from.front());
    from.pop_front();
    const worker_actor worker = all->idle.back();
    all->idle.pop_back();
    if (is_merge) ++all->merging;
    const auto over = [=] {
      if (is_merge) --all->merging;
      all->idle.push_back(worker);
      hand_out(self, all);
    };
    self->request(worker, caf::infinite, run_atom::value, next.job)
        .then(
            [=](const layer_outcome_ptr& done) {
              deliver(next.promise, done);
              over();
            },
            [=](caf::error& failure) {
              deliver(next.promise, std::move(failure));
              over();
            });
  }
}

}  // namespace

background_actor::behavior_type background(background_actor::pointer self,
                                           background_parameters parameters) {
  const auto all = std::make_shared<queues>();
  all->merging_max = parameters.workers > 1 ? parameters.workers - 1 : 1;
  for (size_t i = 0; i < parameters.workers; ++i)
    all->idle.push_back(parameters.detached
                            ? self->spawn<caf::detached + caf::linked>(worker, parameters.stopping)
                            : self->spawn<caf::linked>(worker, parameters.stopping));
  return {[=](run_atom, const layer_job_ptr& job) -> caf::result<layer_outcome_ptr> {
    auto promise = self->make_response_promise<layer_outcome_ptr>();
    auto& into = job->what == layer_job::kind::write ? all->writes : all->merges;
    into.push_back({job, promise});
    hand_out(self, all);
    return promise;
  }};
}

}  // namespace zenith::actors
