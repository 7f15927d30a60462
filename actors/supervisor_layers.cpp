// The supervisor's part in its timelines' layers: what is kept, who may end, collecting by hand.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/errors.hpp"
#include "actors/layer_settings.hpp"
#include "actors/supervisor.hpp"
#include "actors/sweep.hpp"
#include "actors/when_all.hpp"
#include "storage/layers/memory_block.hpp"

namespace zenith::actors {
namespace {

constexpr std::chrono::seconds sweep_pause_min{5};
constexpr int sweep_pause_factor = 20;

}  // namespace

void supervisor::begin_layers() {
  const config::settings& settings = parameters_.settings;
  const auto shares = memory_shares_of(settings);
  cache_ = std::make_shared<layers::page_cache>(shares.page_cache_bytes);
  budget_ = layers::memory_budget::make(
      shares.layers_bytes, [kept_bytes = shares.kept_bytes](uint64_t unused_bytes) {
        layers::memory_block::keep_at_most(kept_bytes + unused_bytes);
      });
  registry_ = std::make_shared<layers::layer_files>(
      *parameters_.files, names().directory() / "timelines",
      layers::layer_files::limits{shares.block_cache_bytes,
                                  static_cast<size_t>(settings.count("open_files_max"))});
  background_parameters how;
  how.workers = static_cast<size_t>(settings.count("background_jobs"));
  how.stopping = stopping_;
  background_ = spawn(background, how);
  // What a crash left, and what was removed while no node ran.
  sweep(sweep_mode::remove, [](const result<gc_reply>&) {});
  schedule_collection();
  auto around = std::make_shared<untouched_surroundings>();
  around->supervisor = actor_cast<supervisor_actor>(this);
  around->registry = registry_;
  around->cache = cache_;
  around->idle_timeout = layer_parameters_of().idle_timeout;
  surroundings_ = around;
  schedule_rest();
}

void supervisor::schedule_rest() {
  delayed_send(this,
               std::clamp(surroundings_->idle_timeout / 4, std::chrono::milliseconds(50),
                          std::chrono::milliseconds(60'000)),
               tick_atom::value);
}

void supervisor::schedule_collection() {
  delayed_send(this, caf::timespan(parameters_.settings.duration("gc_interval")),
               collect_atom::value);
}

layer_parameters supervisor::layer_parameters_of() {
  const config::settings& settings = parameters_.settings;
  layer_parameters how;
  how.background = background_;
  how.supervisor = actor_cast<supervisor_actor>(this);
  how.budget = budget_;
  how.open_age_max = settings.duration("open_layer_age");
  how.idle_timeout =
      std::max(settings.duration("timeline_idle_timeout"), settings.duration("view_lifetime"));
  return how;
}

repository::retention_window supervisor::window_of(const timeline_id& id) const {
  const auto metadata = names().timeline(id);
  return metadata ? history_window_of(parameters_.settings, metadata->settings)
                  : history_window_of(parameters_.settings, {});
}

kept_states_ptr supervisor::kept_of(const timeline_id& id) {
  auto kept = std::make_shared<kept_states>();
  kept->window = window_of(id);
  const auto metadata = names().timeline(id);
  kept->wal_window =
      wal_window_of(parameters_.settings, metadata ? metadata->settings : branch_settings{});
  // Of what is being looked for nobody knows yet where it lies.
  if (finding_ != 0)
    kept->window.time_us = kept->wal_window.time_us = repository::retention_window::unlimited;
  // Ten thousand branches are looked through when one comes or goes, not for each merge.
  if (!needed_ || needed_as_of_ != names().changes()) {
    needed_as_of_ = names().changes();
    needed_ = std::make_shared<const repository::needed_states>(
        repository::needed_states::of(names(), {}));
  }
  kept->needed = needed_;
  return kept;
}

bool supervisor::may_leave(const timeline_status& last) {
  const auto id = parse_timeline_id(last.id);
  const auto found = id ? timelines_.find(*id) : timelines_.end();
  if (found == timelines_.end() || !current_sender() ||
      found->second.actor.address() != current_sender()->address() || shutting_down_)
    return false;
  for (const auto& [name, entry] : computes_)
    if (entry.info.timeline == last.id && is_writable(entry.info) &&
        (entry.receiver || (entry.info.state != "stopped" && entry.info.state != "failed")))
      return false;
  rested_[*id] = last;
  rested_[*id].state = "idle";
  rested_[*id].memory_bytes = 0;
  let_go(found);
  return true;
}

uint64_t supervisor::memory_bytes() const {
  return cache_->size_bytes() + registry_->cache().size_bytes() + budget_->used_bytes();
}

caf::result<unsettled_ptr> supervisor::collect_unsettled() {
  auto promise = make_response_promise<unsettled_ptr>();
  auto all = std::make_shared<std::map<timeline_id, uint64_t>>();
  const auto one_less = when_all(timelines_.size() + ending_.size() + 1,
                                 [=] { deliver(promise, unsettled_ptr{all}); });
  const auto note = [all, one_less](const timeline_id& id, uint64_t first) {
    const auto known = all->emplace(id, first).first;
    known->second = std::min(known->second, first);
    one_less();
  };
  const auto ask = [=, this](const timeline_id& id, const timeline_actor& timeline) {
    request(timeline, caf::infinite, unsettled_atom::value)
        .then([=](uint64_t first) { note(id, first); },
              // One that ends or cannot be opened: nothing of it is removed.
              [=](caf::error&) { note(id, 0); });
  };
  for (const auto& [id, timeline] : ending_) ask(id, timeline);
  for (const auto& [id, entry] : timelines_) {
    if (entry.is_untouched)
      note(id, 0);
    else
      ask(id, entry.actor);
  }
  one_less();
  return promise;
}

void supervisor::sweep(sweep_mode mode, std::function<void(result<gc_reply>)> done) {
  sweeps_.push_back({mode, std::move(done)});
  if (sweeps_.size() == 1) begin_sweep();
}

// Where merges go on, what they leave is removed every few seconds; looking through ten thousand
// branches may take a small part of the time only.
void supervisor::sweep_soon() {
  if (std::exchange(sweep_scheduled_, true)) return;
  const auto pause = std::max<steady::duration>(sweep_pause_min, sweep_took_ * sweep_pause_factor);
  delayed_send(this, std::chrono::duration_cast<std::chrono::milliseconds>(pause),
               sweep_atom::value);
}

// One after the other: the registry notes for one of them what is in use.
void supervisor::begin_sweep() {
  registry_->begin_sweep();
  sweep_parameters how;
  how.files = parameters_.files;
  how.registry = registry_;
  how.directory = names().directory() / "timelines";
  how.mode = sweeps_.front().mode;
  for (const auto& timeline : names().timelines()) how.timelines.push_back(timeline.id);
  how.damaged = names().damaged();
  const auto over = [this, began = steady::now()](const result<gc_reply>& reply) {
    sweep_took_ = steady::now() - began;
    // One that is asked for meanwhile waits behind this one.
    const auto done = std::move(sweeps_.front().done);
    done(reply);
    sweeps_.pop_front();
    if (!sweeps_.empty()) begin_sweep();
  };
  const auto worker = spawn<caf::detached>(sweeper, how, actor_cast<supervisor_actor>(this));
  request(worker, caf::infinite, run_atom::value)
      .then(
          [mode = how.mode, over](const gc_reply& reply) {
            if (reply.removed_files != 0 && mode == sweep_mode::remove)
              spdlog::info("removed {} layer files that nothing needs, {} bytes",
                           reply.removed_files, reply.removed_bytes);
            over(reply);
          },
          [over](caf::error& failure) {
            const error why = from_caf(failure);
            spdlog::error("layer files that nothing needs stay: {}", why.message);
            over(tl::unexpected<error>(why));
          });
}

caf::result<gc_reply> supervisor::compact(const std::string& name) {
  auto found = names().resolve(name);
  if (!found) return to_caf(found.error());
  auto timeline = timeline_of(found->timeline);
  if (!timeline) return to_caf(timeline.error());
  auto promise = make_response_promise<gc_reply>();
  request(*timeline, caf::infinite, merge_atom::value, merge_goal::due)
      .then(
          [=, this, id = found->timeline](const timeline_status& now) {
            if (const auto open = timelines_.find(id); open != timelines_.end())
              open->second.status = now;
            sweep(sweep_mode::remove, [promise](result<gc_reply> swept) {
              if (!swept) return deliver(promise, to_caf(swept.error()));
              deliver(promise, std::move(*swept));
            });
          },
          [promise](caf::error& failure) { deliver(promise, std::move(failure)); });
  return promise;
}

caf::result<std::string> supervisor::set_window(const std::string& name, const std::string& key,
                                                const std::string& value) {
  auto branch = names().branch(name);
  if (!branch) return to_caf(branch.error());
  auto metadata = names().timeline(branch->timeline);
  if (!metadata) return to_caf(metadata.error());
  if (auto changed = change_branch_setting(metadata->settings, key, value); !changed)
    return to_caf(changed.error());
  if (auto written = names().update_timeline(*metadata); !written) return to_caf(written.error());
  return name;
}

}  // namespace zenith::actors
