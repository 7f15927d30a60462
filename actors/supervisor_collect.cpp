// The supervisor's part in collecting: which timelines are merged and trimmed, few at a time.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/layer_settings.hpp"
#include "actors/supervisor.hpp"

namespace zenith::actors {
namespace {

/// Of one round in the background: so many closed timelines are looked at, and so many opened.
constexpr size_t surveyed_in_a_round = 1000;
constexpr size_t opened_in_a_round = 100;
/// Looking may take a small part of the time only.
constexpr std::chrono::seconds round_pause_min{5};
constexpr int round_pause_factor = 20;
/// One that could not be read or merged is left alone for so long.
constexpr int64_t failure_pause_us = int64_t{24} * 3600 * 1'000'000;

timestamp after_failure() { return timestamp{actors::now().microseconds() + failure_pause_us}; }

}  // namespace

size_t supervisor::collected_at_once() const {
  return 2 * static_cast<size_t>(parameters_.settings.count("background_jobs"));
}

void supervisor::collect_timelines(std::vector<timeline_id> which,
                                   std::function<void(const collection&)> done) {
  auto run = std::make_shared<collection>();
  run->waiting.assign(which.begin(), which.end());
  run->done = std::move(done);
  collections_.push_back(std::move(run));
  if (collections_.size() == 1) go_on_collecting();
}

void supervisor::go_on_collecting() {
  while (!collections_.empty()) {
    const auto run = collections_.front();
    if (shutting_down_) run->waiting.clear();
    while (!run->waiting.empty() && run->under_way < collected_at_once()) {
      const timeline_id id = run->waiting.front();
      run->waiting.pop_front();
      if (begin_to_collect(run, id)) ++run->under_way;
    }
    if (run->under_way != 0) return;
    // A run that is asked for meanwhile waits behind this one.
    run->done(*run);
    collections_.pop_front();
  }
}

// Merges, trims, and closes what was closed. False where there is nothing to wait for.
bool supervisor::begin_to_collect(const std::shared_ptr<collection>& run, const timeline_id& id) {
  const bool was_closed = !timelines_.contains(id);
  const auto found = timeline_of(id);
  if (!found) {
    run->failures.emplace(id, found.error());
    return false;
  }
  const auto over = [this, run] {
    --run->under_way;
    go_on_collecting();
  };
  const auto close = [=, this, timeline = *found] {
    if (!was_closed) return over();
    request(timeline, caf::infinite, leave_atom::value)
        .then([over](bool) { over(); },
              [=, this](caf::error& failure) {
                const error why = from_caf(failure);
                run->failures.emplace(id, why);
                // Those that cannot be written, and so not closed, must not become many.
                if (timelines_.contains(id) && ++run->stuck >= collected_at_once()) {
                  for (const timeline_id& left : run->waiting) run->failures.emplace(left, why);
                  run->waiting.clear();
                }
                over();
              });
  };
  request(*found, caf::infinite, merge_atom::value, merge_goal::space)
      .then(
          [=, this, timeline = *found](const timeline_status& now) {
            if (const auto open = timelines_.find(id); open != timelines_.end())
              open->second.status = now;
            trim(run, id, timeline, close);
          },
          [=, this, timeline = *found](caf::error& failure) {
            run->failures.emplace(id, from_caf(failure));
            trim(run, id, timeline, close);
          });
  return true;
}

void supervisor::trim(const std::shared_ptr<collection>& run, const timeline_id& id,
                      const timeline_actor& timeline, std::function<void()> done) {
  request(timeline, caf::infinite, trim_atom::value, kept_of(id))
      .then(
          [=](const wal_trim_ptr& trimmed) {
            run->trimmed.emplace(id, *trimmed);
            done();
          },
          [=](caf::error& failure) {
            const error why = from_caf(failure);
            run->trimmed.emplace(id, tl::unexpected<error>(why));
            spdlog::error("timeline {}: WAL that is not needed stays: {}", to_string(id),
                          why.message);
            done();
          });
}

std::vector<timeline_id> supervisor::open_timelines() const {
  std::vector<timeline_id> open;
  for (const auto& [id, entry] : timelines_)
    if (!entry.is_untouched) open.push_back(id);
  return open;
}

// A timeline with a manifest has layers of its own, in which something may have gone out of use.
std::vector<timeline_id> supervisor::timelines_with_layers() const {
  std::vector<timeline_id> all;
  for (const auto& timeline : names().timelines()) {
    const auto there =
        parameters_.files->exists(names().timeline_directory(timeline.id) / layers::manifest_name);
    if (there && *there) all.push_back(timeline.id);
  }
  return all;
}

std::vector<repository::closed_timeline> supervisor::timelines_to_survey(
    const std::function<bool(const repository::closed_timeline&)>& wanted, size_t most) {
  std::vector<repository::closed_timeline> found;
  // Most have the node's own windows, and each tree one beginning.
  const auto own = kept_of(timeline_id{});
  std::map<timeline_id, timestamp> began;
  const auto since_of = [&](const repository::timeline_metadata& of) {
    const repository::timeline_metadata* root = &of;
    while (root->ancestor && !began.contains(root->ancestor->timeline)) {
      const auto parent = names().stored_timeline(root->ancestor->timeline);
      if (!parent) break;  // what names need is not known then: nothing goes
      root = *parent;
    }
    return began[of.id] = root->ancestor && began.contains(root->ancestor->timeline)
                              ? began[root->ancestor->timeline]
                              : root->created_at;
  };
  for (repository::timeline_metadata& metadata : names().timelines()) {
    if (found.size() >= most) break;
    const timeline_id id = metadata.id;
    const auto open = timelines_.find(id);
    if (open != timelines_.end() && open->second.is_untouched) continue;
    repository::closed_timeline one;
    one.since = since_of(metadata);
    const auto kept = metadata.settings.empty() ? own : kept_of(id);
    one.window = kept->window;
    one.wal_window = kept->wal_window;
    one.needed = kept->needed;
    if (open != timelines_.end())
      one.end = lsn{open->second.status.last_lsn};
    else if (const auto rested = rested_.find(id); rested != rested_.end())
      one.end = lsn{rested->second.last_lsn};
    else if (const auto known = ends_.find(id); known != ends_.end())
      one.end = known->second;
    one.metadata = std::move(metadata);
    if (wanted(one)) found.push_back(std::move(one));
  }
  return found;
}

void supervisor::survey(std::vector<repository::closed_timeline> which,
                        std::function<void(const result<surveyed_ptr>&)> done) {
  survey_parameters how;
  how.files = parameters_.files;
  how.registry = registry_;
  how.directory = names().directory() / "timelines";
  how.timelines = std::move(which);
  const auto worker = spawn<caf::detached>(surveyor, how, stopping_);
  request(worker, caf::infinite, run_atom::value)
      .then([done](const surveyed_ptr& surveyed) { done(surveyed); },
            [done](caf::error& failure) {
              const error why = from_caf(failure);
              spdlog::error("timelines are not looked at: {}", why.message);
              done(tl::unexpected<error>(why));
            });
}

std::vector<timeline_id> supervisor::worth_opening(const surveyed_timelines& surveyed) const {
  std::vector<std::pair<uint64_t, timeline_id>> worth;
  for (const auto& [id, one] : surveyed)
    if (one && one->found.is_worth_opening() && !timelines_.contains(id))
      worth.emplace_back(one->found.layer_bytes + one->found.wal.bytes, id);
  std::ranges::sort(worth, std::greater<>());
  std::vector<timeline_id> all;
  for (const auto& [bytes, id] : worth) all.push_back(id);
  return all;
}

caf::result<gc_reply> supervisor::collect(sweep_mode mode) {
  auto promise = make_response_promise<gc_reply>();
  if (mode == sweep_mode::report)
    // Where open ones end counts for their windows.
    refresh_timelines(std::chrono::seconds(2), [=, this] { report_collectable(promise); });
  else
    collect_garbage([=, this] { collect_by_hand(promise); });
  return promise;
}

void supervisor::report_collectable(caf::typed_response_promise<gc_reply> promise) {
  const auto all = [](const repository::closed_timeline&) { return true; };
  survey(timelines_to_survey(all, SIZE_MAX), [=, this](const result<surveyed_ptr>& surveyed) {
    if (!surveyed) return deliver(promise, to_caf(surveyed.error()));
    sweep(sweep_mode::report, [=, this, all = *surveyed](result<gc_reply> swept) {
      if (!swept) return deliver(promise, to_caf(swept.error()));
      add_surveyed(*all, *swept);
      deliver(promise, std::move(*swept));
    });
  });
}

void supervisor::collect_by_hand(caf::typed_response_promise<gc_reply> promise) {
  const auto closed = [this](const repository::closed_timeline& one) {
    return !timelines_.contains(one.metadata.id);
  };
  survey(timelines_to_survey(closed, SIZE_MAX), [=, this](const result<surveyed_ptr>& surveyed) {
    if (!surveyed) return deliver(promise, to_caf(surveyed.error()));
    auto which = worth_opening(**surveyed);
    std::ranges::copy(open_timelines(), std::back_inserter(which));
    collect_timelines(std::move(which), [=, this, surveyed = *surveyed](const collection& run) {
      sweep(sweep_mode::remove, [=, this](result<gc_reply> swept) {
        if (!swept) return deliver(promise, to_caf(swept.error()));
        add_collected(run, *surveyed, *swept);
        deliver(promise, std::move(*swept));
      });
    });
  });
}

void supervisor::collect_in_background() {
  collect_garbage([this] { begin_round(); });
}

// What is open is merged and trimmed each time. Closed timelines are looked at where something may
// have become collectable, and opened where it has.
void supervisor::begin_round() {
  if (std::exchange(round_is_under_way_, true)) {
    another_round_ = true;
    return;
  }
  surveys_.keep_only(
      [this](const timeline_id& id) { return names().stored_timeline(id).has_value(); });
  const timestamp time = actors::now();
  auto closed = timelines_to_survey(
      [&](const repository::closed_timeline& one) {
        return !timelines_.contains(one.metadata.id) && surveys_.is_due(one, time);
      },
      surveyed_in_a_round);
  std::vector<timeline_id> looked_at;
  for (const repository::closed_timeline& one : closed) {
    surveys_.begin_look(one);
    looked_at.push_back(one.metadata.id);
  }
  const auto began = steady::now();
  survey(std::move(closed), [=, this](const result<surveyed_ptr>& done) {
    static const surveyed_timelines none;
    const surveyed_timelines& surveyed = done ? **done : none;
    const auto looked_for = steady::now() - began;
    auto which = worth_opening(surveyed);
    bool has_more = looked_at.size() == surveyed_in_a_round || which.size() > opened_in_a_round;
    which.resize(std::min(which.size(), opened_in_a_round));
    for (const timeline_id& id : looked_at) {
      const auto found = surveyed.find(id);
      if (!done) {
        surveys_.forget(id);
      } else if (found == surveyed.end()) {
        surveys_.note(id, std::nullopt);  // nothing of its own: it is opened to write to it
      } else if (!found->second) {
        spdlog::error("timeline {}: what may go of it is not known: {}", to_string(id),
                      found->second.error().message);
        surveys_.note(id, after_failure());
      } else if (!found->second->found.is_worth_opening()) {
        surveys_.note(id, found->second->found.next);
      }
    }
    std::ranges::copy(open_timelines(), std::back_inserter(which));
    collect_timelines(std::move(which),
                      [=, this](const collection& run) { end_round(run, looked_for, has_more); });
  });
}

void supervisor::end_round(const collection& run, steady::duration looked_for, bool has_more) {
  for (const auto& [id, why] : run.failures) spdlog::error("not collected: {}", why.message);
  sweep(sweep_mode::remove, [](const result<gc_reply>&) {});
  const auto failed = timelines_to_survey(
      [&](const repository::closed_timeline& one) {
        return run.failures.contains(one.metadata.id);
      },
      run.failures.size());
  for (const repository::closed_timeline& one : failed) {
    surveys_.begin_look(one);
    surveys_.note(one.metadata.id, after_failure());
  }
  round_is_under_way_ = false;
  if (!std::exchange(another_round_, false) && !has_more) return;
  const auto pause = std::max<steady::duration>(round_pause_min, looked_for * round_pause_factor);
  delayed_send(this, std::chrono::duration_cast<std::chrono::milliseconds>(pause),
               more_atom::value);
}

}  // namespace zenith::actors
