// The supervisor: its messages, the node's status and end.
#include "actors/supervisor.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "actors/errors.hpp"
#include "actors/when_all.hpp"

namespace zenith::actors {

supervisor::supervisor(caf::actor_config& config, supervisor_parameters parameters)
    : supervisor_actor::base(config), parameters_(std::move(parameters)) {
  set_down_handler([this](caf::down_msg& message) { child_down(message); });
  set_error_handler([](caf::error& failure) {
    spdlog::error("an answer that nobody waits for: {}", from_caf(failure).message);
  });
}

supervisor::behavior_type supervisor::make_behavior() {
  collect_garbage([] {});
  begin_layers();
  adopt_computes();
  return {
      [this](status_atom) { return collect_status(); },
      [this](branches_atom) { return list_branches(); },
      [this](branch_atom, const std::string& name, const std::string& point) {
        return make_branch(name, point);
      },
      [this](unbranch_atom, const std::string& name, bool force) {
        return delete_branch(name, force);
      },
      [this](rename_atom, const std::string& from, const std::string& to) {
        return rename_branch(from, to);
      },
      [this](tags_atom) { return list_tags(); },
      [this](tag_atom, const std::string& name, const std::string& point) {
        return make_tag(name, point);
      },
      [this](untag_atom, const std::string& name) { return delete_tag(name); },
      [this](resolve_atom, const std::string& point) { return resolve(point); },
      [this](pg_create_atom, const compute_request& request) { return create_compute(request); },
      [this](pg_start_atom, const std::string& name) { return start_compute(name); },
      [this](pg_stop_atom, const std::string& name, bool immediate) {
        return stop_compute(name, immediate);
      },
      [this](pg_list_atom) { return list_computes(); },
      [this](pg_destroy_atom, const std::string& name, bool force) {
        return destroy_compute(name, force);
      },
      [this](export_atom, const std::string& point, const std::string& directory) {
        return write_export(point, directory);
      },
      [this](page_atom, const page_request& request) { return read_page(request); },
      [this](verify_atom, const std::string& point, const std::string& directory) {
        return verify(point, directory);
      },
      [this](shutdown_atom) { return shut_down(); },
      [this](lookup_atom, const std::string& id) -> caf::result<timeline_actor> {
        auto parsed = parse_timeline_id(id);
        if (!parsed) return to_caf(parsed.error());
        return reply(timeline_of(*parsed));
      },
      [this](grow_atom, const std::string& id) -> caf::result<timeline_actor> {
        auto parsed = parse_timeline_id(id);
        if (!parsed) return to_caf(parsed.error());
        return reply(timeline_of(*parsed, timeline_use::write));
      },
      [this](source_atom, const std::string& id) { return source_of(id); },
      [this](changed_atom, const compute_info& info) { compute_changed(info); },
      [this](stream_atom, const std::string& compute, const std::string& problem) {
        stream_changed(compute, problem);
      },
      [this](plan_atom, const std::string& compute, uint32_t next, lsn at) {
        return follow_promotion(compute, pg_timeline{next}, at);
      },
      [this](watch_atom) { start_missing_receivers(); },
      [this](gc_atom, bool only_report) {
        return collect(only_report ? sweep_mode::report : sweep_mode::remove);
      },
      [this](compact_atom, const std::string& branch) { return compact(branch); },
      [this](window_atom, const std::string& branch, const std::string& key,
             const std::string& value) { return set_window(branch, key, value); },
      [this](keep_atom, const std::string& id) -> caf::result<kept_states_ptr> {
        auto parsed = parse_timeline_id(id);
        if (!parsed) return to_caf(parsed.error());
        return kept_of(*parsed);
      },
      [this](unsettled_atom) { return collect_unsettled(); },
      [this](leave_atom, const timeline_status& last) { return may_leave(last); },
      [this](merge_atom) { sweep_soon(); },
      [this](sweep_atom) {
        sweep_scheduled_ = false;
        sweep(sweep_mode::remove, [](const result<gc_reply>&) {});
      },
      [this](collect_atom) {
        collect_in_background();
        schedule_collection();
      },
      [this](more_atom) { collect_in_background(); },
      [this](tick_atom) {
        for (const auto& [id, entry] : timelines_)
          if (entry.is_untouched) anon_send(entry.actor, tick_atom::value);
        schedule_rest();
      },
  };
}

void supervisor::on_exit() {
  for (auto& [name, entry] : computes_) {
    stop_receiver(entry);
    send_exit(entry.actor, caf::exit_reason::user_shutdown);
  }
  for (auto& [id, entry] : timelines_) send_exit(entry.actor, caf::exit_reason::user_shutdown);
  send_exit(background_, caf::exit_reason::user_shutdown);
  computes_.clear();
  timelines_.clear();
}

caf::timespan supervisor::request_timeout() const {
  return parameters_.settings.duration("cli_request_timeout");
}

void supervisor::child_down(const caf::down_msg& message) {
  if (shutting_down_) return;
  const auto let_go = std::ranges::find_if(
      ending_, [&](const auto& one) { return one.second.address() == message.source; });
  if (let_go != ending_.end()) {
    ending_.erase(let_go);
    return;
  }
  const std::string reason = from_caf(message.reason).message;
  for (auto it = timelines_.begin(); it != timelines_.end(); ++it) {
    if (it->second.actor.address() != message.source) continue;
    const timeline_id id = it->first;
    timelines_.erase(it);
    spdlog::warn("timeline {} ended: {}", to_string(id), reason);
    // The receiver that fed it ends; the next one finds the timeline spawned again.
    if (compute_entry* writer = writer_of(id)) restart_receiver_later(*writer);
    return;
  }
  for (auto& [name, entry] : computes_) {
    if (entry.receiver && entry.receiver.address() == message.source) {
      spdlog::warn("the receiver of {} ended: {}", name, reason);
      return restart_receiver_later(entry);
    }
    if (entry.actor.address() == message.source) {
      spdlog::error("compute {} ended: {}", name, reason);
      stop_receiver(entry);
      if (const auto metadata = names().compute(name)) {
        if (add_compute(*metadata).info.state == "running") restart_receiver_later(entry);
      }
      return;
    }
  }
}

node_status supervisor::status() const {
  node_status status;
  status.pid = getpid();
  status.cli_address = parameters_.cli_address;
  status.page_address = parameters_.page_address;
  status.version = ZENITH_VERSION;
  status.memory_bytes = memory_bytes();
  status.memory_limit_bytes = parameters_.settings.size_bytes("memory_limit");
  for (const auto& metadata : names().timelines()) {
    timeline_status one;
    if (const auto open = timelines_.find(metadata.id); open != timelines_.end())
      one = open->second.status;
    else if (const auto rested = rested_.find(metadata.id); rested != rested_.end())
      one = rested->second;
    one.id = to_string(metadata.id);
    one.branch = names().branch_of(metadata.id);
    if (one.state.empty()) one.state = "idle";
    for (const auto& [name, entry] : computes_) {
      if (entry.info.timeline != one.id || entry.info.state != "running" ||
          entry.info.mode.starts_with("read-only"))
        continue;
      one.source = name;
      if (!entry.streaming) {
        one.problem =
            entry.info.problem.empty() ? "the receiver is not connected" : entry.info.problem;
        if (entry.info.mode.find("sync") != std::string::npos)
          one.problem += "; commits wait until it is";
      }
    }
    status.timelines.push_back(std::move(one));
  }
  std::ranges::sort(status.timelines, {},
                    [](const timeline_status& one) { return std::tie(one.branch, one.id); });
  for (const error& damage : names().damaged()) {
    timeline_status one;
    one.state = "failed";
    one.problem = damage.message;
    status.timelines.push_back(std::move(one));
  }
  return status;
}

void supervisor::refresh_timelines(caf::timespan patience, std::function<void()> done) {
  const auto left = std::make_shared<size_t>(1);
  const auto one_less = [left, done] {
    if (--*left == 0) done();
  };
  for (const auto& [id, entry] : timelines_) {
    // What an untouched one would say is known.
    if (entry.is_untouched) continue;
    ++*left;
    request(entry.actor, patience, status_atom::value)
        .then(
            [this, id = id, one_less](const timeline_status& said) {
              if (const auto found = timelines_.find(id); found != timelines_.end())
                found->second.status = said;
              one_less();
            },
            [one_less](caf::error&) { one_less(); });
  }
  one_less();
}

caf::result<node_status> supervisor::collect_status() {
  auto promise = make_response_promise<node_status>();
  // A timeline that is busy with a large file answers late: what it said last is shown then.
  refresh_timelines(std::chrono::seconds(2), [this, promise] { deliver(promise, status()); });
  return promise;
}

caf::result<std::string> supervisor::shut_down() {
  if (shutting_down_) return to_caf({errc::conflict, "the node is stopping already"});
  auto done = make_response_promise<std::string>();
  shutting_down_ = true;
  spdlog::info("stopping");
  stop_next_compute(done);
  return done;
}

void supervisor::stop_next_compute(caf::typed_response_promise<std::string> done) {
  for (auto& [name, entry] : computes_) {
    // One that is starting is stopped once it has: its actor does one thing after the other.
    if (entry.info.state != "running" && entry.info.state != "starting") continue;
    stop_and_drain(name, /*immediate=*/false, [this, done, name = name](auto stopped) {
      if (!stopped) {
        spdlog::error("compute {}: {}", name, stopped.error().message);
        computes_[name].info.state = "failed";
      }
      stop_next_compute(done);
    });
    return;
  }
  close_timelines(done);
}

void supervisor::close_timelines(caf::typed_response_promise<std::string> done) {
  stopping_->store(true);
  std::erase_if(timelines_, [](const auto& one) { return one.second.is_untouched; });
  const auto one_less = when_all(timelines_.size() + 1, [this, done] {
    deliver(done, std::string("stopped"));
    quit();
  });
  for (const auto& [id, entry] : std::exchange(timelines_, {}))
    request(entry.actor, request_timeout(), close_atom::value, closing::write)
        .then(
            [one_less, id = to_string(id)](lsn durable) {
              spdlog::info("timeline {}: durable up to {}", id, to_string(durable));
              one_less();
            },
            [one_less, id = to_string(id)](caf::error& failure) {
              spdlog::error("timeline {}: {}", id, from_caf(failure).message);
              one_less();
            });
  one_less();
}

}  // namespace zenith::actors
