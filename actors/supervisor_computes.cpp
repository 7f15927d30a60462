// The supervisor's servers: making, starting, stopping and destroying them.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/processes.hpp"
#include "actors/supervisor.hpp"
#include "storage/repository/kept_configuration.hpp"
#include "storage/repository/names.hpp"
#include "storage/repository/point.hpp"

namespace zenith::actors {
namespace {

using repository::access_mode;

}  // namespace

compute_parameters supervisor::parameters_of(const repository::compute_metadata& metadata) const {
  compute_parameters how;
  how.metadata = metadata;
  how.directory = names().compute_directory(metadata.name);
  how.socket_directory = parameters_.socket_directory;
  how.pg_bin = parameters_.settings.text("pg_bin");
  how.receiver_name = receiver_name_of(metadata.timeline);
  how.start_timeout = parameters_.settings.duration("compute_start_timeout");
  how.stop_timeout = parameters_.settings.duration("shutdown_timeout");
  const auto kept_at = [&](const timeline_id& id) {
    return names().timeline_directory(id) / repository::configuration_folder_name;
  };
  how.configuration = kept_at(metadata.timeline);
  // The newest server's own files while it is there, then what was kept, then the parent's.
  for (timeline_id id = metadata.timeline; id.is_valid();) {
    for (const auto& [name, entry] : computes_)
      if (entry.info.timeline == to_string(id) && is_writable(entry.info))
        how.configuration_sources.push_back(names().compute_directory(name) / "pgdata");
    how.configuration_sources.push_back(kept_at(id));
    const auto timeline = names().stored_timeline(id);
    id = timeline && (*timeline)->ancestor ? (*timeline)->ancestor->timeline : timeline_id{};
  }
  return how;
}

supervisor::compute_entry& supervisor::add_compute(const repository::compute_metadata& metadata) {
  const compute_parameters how = parameters_of(metadata);
  compute_entry& entry = computes_[metadata.name];
  entry.info = describe_compute(how);
  entry.actor =
      spawn<caf::detached + caf::monitored>(compute, how, actor_cast<supervisor_actor>(this));
  return entry;
}

void supervisor::adopt_computes() {
  for (const auto& metadata : names().computes()) {
    compute_entry& entry = add_compute(metadata);
    if (entry.info.state != "running") continue;
    spdlog::info("compute {} runs still; following it again", metadata.name);
    start_receiver(entry);
  }
}

result<supervisor::compute_entry*> supervisor::compute_named(const std::string& name) {
  const auto found = computes_.find(name);
  if (found == computes_.end())
    return fail(errc::not_found,
                "there is no compute named " + name + "; zenith pg list shows them");
  return &found->second;
}

supervisor::compute_entry* supervisor::writer_of(const timeline_id& id) {
  const std::string wanted = to_string(id);
  for (auto& [name, entry] : computes_)
    if (entry.info.timeline == wanted && entry.info.state == "running" && is_writable(entry.info))
      return &entry;
  return nullptr;
}

result<uint16_t> supervisor::free_port(uint16_t wanted) const {
  const auto taken_by = [this](int64_t port) {
    for (const auto& [name, entry] : computes_)
      if (entry.info.port == port) return name;
    return std::string();
  };
  if (wanted != 0) {
    if (const std::string other = taken_by(wanted); !other.empty())
      return fail(errc::conflict, "port " + std::to_string(wanted) + " is compute " + other + "'s");
    if (!port_is_free(wanted))
      return fail(errc::conflict,
                  "port " + std::to_string(wanted) + " of 127.0.0.1 is in use by another program");
    return wanted;
  }
  const int64_t first = parameters_.settings.count("compute_port_first");
  const int64_t last = parameters_.settings.count("compute_port_last");
  for (int64_t port = first; port <= last; ++port)
    if (taken_by(port).empty() && port_is_free(static_cast<uint16_t>(port)))
      return static_cast<uint16_t>(port);
  return fail(errc::limit, "no port from " + std::to_string(first) + " to " + std::to_string(last) +
                               " is free; see zenith config compute_port_last");
}

result<repository::compute_metadata> supervisor::new_compute(const compute_request& request,
                                                             const located_point& point) const {
  ZENITH_TRY(repository::check_compute_name(request.name));
  if (computes_.contains(request.name))
    return fail(errc::already_exists, "there is a compute named " + request.name + " already");
  if (!request.read_only) {
    if (!point.at_end || point.name.branch.empty())
      return fail(errc::invalid_argument,
                  "a server that writes needs a branch, at its end; make one first (zenith branch "
                  "NAME " +
                      request.point + "), or use --read-only");
    for (const auto& [name, entry] : computes_)
      if (entry.info.timeline == to_string(point.name.timeline) && is_writable(entry.info))
        return fail(errc::conflict, "branch " + point.name.branch +
                                        " has a server that writes already, compute " + name +
                                        "; a second one would need a branch of its own");
  }
  repository::compute_metadata made;
  made.name = request.name;
  made.branch = point.name.branch;
  made.timeline = point.name.timeline;
  made.access = request.read_only ? access_mode::read_only : access_mode::read_write;
  made.commit =
      request.sync ? repository::commit_mode::synchronous : repository::commit_mode::asynchronous;
  made.hydration = repository::hydration_mode::full;
  made.created_at = actors::now();
  ZENITH_TRY_ASSIGN(made.port, free_port(request.port));
  return made;
}

caf::result<compute_info> supervisor::create_compute(const compute_request& request) {
  const bool named_like_a_branch = names().branch(request.name).has_value();
  const std::string text = !request.point.empty() ? request.point
                           : named_like_a_branch  ? request.name
                                                  : "main";
  auto point = locate(text);
  if (!point) return to_caf(point.error());
  if (auto good = new_compute(request, *point); !good) return to_caf(good.error());
  auto promise = make_response_promise<compute_info>();
  find_to_keep(*point, kept_by::reader, [=, this, point = *point](result<point_found> found) {
    if (!found) return deliver(promise, to_caf(found.error()));
    // The world moved on while the timeline looked for the point: another server may have taken
    // the name, the port or the branch, and the branch may be gone.
    const auto again = locate(text);
    if (!again) return deliver(promise, to_caf(again.error()));
    if (again->name.timeline != point.name.timeline)
      return deliver(promise, to_caf({errc::conflict, text + " was changed meanwhile; try again"}));
    auto metadata = new_compute(request, *again);
    if (!metadata) return deliver(promise, to_caf(metadata.error()));
    metadata->at = found->at;
    metadata->previous_record = found->previous;
    if (auto written = names().write_compute(*metadata); !written)
      return deliver(promise, to_caf(written.error()));
    build_compute(*metadata, *found, promise);
  });
  return promise;
}

void supervisor::build_compute(repository::compute_metadata metadata, const point_found& found,
                               caf::typed_response_promise<compute_info> promise) {
  const std::string name = metadata.name;
  const auto give_up = [this, name, promise](const error& failure) {
    if (const auto it = computes_.find(name); it != computes_.end()) {
      send_exit(it->second.actor, caf::exit_reason::user_shutdown);
      computes_.erase(it);
    }
    if (auto gone = names().remove_compute(name); !gone)
      spdlog::error("compute {}: {}", name, gone.error().message);
    deliver(promise, to_caf(failure));
  };
  const auto failed = [give_up](caf::error& failure) { give_up(from_caf(failure)); };
  auto timeline = timeline_of(metadata.timeline, metadata.access == access_mode::read_write
                                                     ? timeline_use::write
                                                     : timeline_use::read);
  if (!timeline) return give_up(timeline.error());
  add_compute(metadata);
  const auto purpose =
      metadata.access == access_mode::read_write ? start_purpose::write : start_purpose::read;
  const auto write_files = [=, this](const start_plan_ptr& plan) {
    const auto made = computes_.find(name);
    if (made == computes_.end())
      return deliver(promise,
                     to_caf({errc::conflict, "compute " + name + " was destroyed meanwhile"}));
    request(made->second.actor, caf::infinite, pg_create_atom::value, plan)
        .then(
            [this, name, promise](const compute_info& info) {
              if (const auto found = computes_.find(name); found != computes_.end())
                learn(found->second, info);
              deliver(promise, info);
            },
            failed);
  };
  request(*timeline, caf::infinite, plan_atom::value, found.at, purpose)
      .then(
          [=, this, timeline = *timeline](const start_plan_ptr& plan) {
            if (!plan->decision.is_new) return write_files(plan);
            // A new pg_timeline is on record before any server can write on it.
            auto updated = names().timeline(plan->timeline);
            if (!updated) return give_up(updated.error());
            updated->pg_timelines = plan->history;
            if (auto written = names().update_timeline(*updated); !written)
              return give_up(written.error());
            const auto record = std::make_shared<const repository::timeline_metadata>(*updated);
            request(timeline, caf::infinite, plan_atom::value, metadata_ptr{record})
                .then([=](lsn) { write_files(plan); }, failed);
          },
          failed);
}

caf::result<compute_info> supervisor::start_compute(const std::string& name) {
  auto entry = compute_named(name);
  if (!entry) return to_caf(entry.error());
  if (shutting_down_) return to_caf({errc::unavailable, "the node is stopping"});
  auto promise = make_response_promise<compute_info>();
  request((*entry)->actor, caf::infinite, pg_start_atom::value)
      .then(
          [=, this](const compute_info& info) {
            const auto found = computes_.find(name);
            if (found == computes_.end())
              return deliver(promise,
                             to_caf({errc::conflict, "compute " + name + " was destroyed"}));
            compute_entry& started = found->second;
            learn(started, info);
            if (!is_writable(info) || started.streaming) return deliver(promise, started.info);
            started.waiting_for_stream.push_back(promise);
            start_receiver(started);
          },
          [promise](caf::error& failure) { deliver(promise, std::move(failure)); });
  return promise;
}

void supervisor::learn(compute_entry& entry, compute_info info) {
  info.branch = entry.info.branch;
  entry.info = std::move(info);
}

void supervisor::compute_changed(const compute_info& info) {
  const auto found = computes_.find(info.name);
  if (found == computes_.end()) return;
  compute_entry& entry = found->second;
  learn(entry, info);
  if (info.state == "running") return;
  stop_receiver(entry);
  answer_waiting(entry);
}

void supervisor::stop_and_drain(const std::string& name, bool immediate,
                                std::function<void(result<compute_info>)> done) {
  compute_entry& entry = computes_[name];
  const auto failed = [done](caf::error& failure) {
    done(tl::unexpected<error>(from_caf(failure)));
  };
  request(entry.actor, caf::infinite, pg_stop_atom::value, immediate)
      .then(
          [=, this](const compute_info& info) {
            const auto found = computes_.find(name);
            if (found == computes_.end()) return done(info);
            learn(found->second, info);
            stop_receiver(found->second);
            answer_waiting(found->second);
            if (!is_writable(info)) return done(info);
            const auto id = parse_timeline_id(info.timeline);
            auto timeline = timeline_of(*id, timeline_use::write);
            if (!timeline) return done(tl::unexpected<error>(timeline.error()));
            const auto pg_wal = std::filesystem::path(info.data_directory) / "pg_wal";
            request(*timeline, caf::infinite, drain_atom::value, pg_wal.string())
                .then(
                    [=, this](lsn durable) {
                      compute_info now_stopped = info;
                      now_stopped.received_lsn = durable.value();
                      if (const auto again = computes_.find(name); again != computes_.end())
                        learn(again->second, now_stopped);
                      done(now_stopped);
                    },
                    failed);
          },
          failed);
}

caf::result<compute_info> supervisor::stop_compute(const std::string& name, bool immediate) {
  auto entry = compute_named(name);
  if (!entry) return to_caf(entry.error());
  auto promise = make_response_promise<compute_info>();
  stop_and_drain(name, immediate, [promise](result<compute_info> stopped) {
    if (!stopped) return deliver(promise, to_caf(stopped.error()));
    deliver(promise, *stopped);
  });
  return promise;
}

void supervisor::remove_compute(const std::string& name,
                                caf::typed_response_promise<std::string> promise) {
  const auto found = computes_.find(name);
  if (found == computes_.end()) return deliver(promise, name);
  stop_receiver(found->second);
  request(found->second.actor, caf::infinite, pg_destroy_atom::value)
      .then(
          [this, name, promise](const std::string&) {
            if (const auto again = computes_.find(name); again != computes_.end()) {
              again->second.info.state = "destroyed";
              answer_waiting(again->second);
              send_exit(again->second.actor, caf::exit_reason::user_shutdown);
              computes_.erase(again);
            }
            if (auto gone = names().remove_compute(name); !gone)
              return deliver(promise, to_caf(gone.error()));
            deliver(promise, name);
          },
          [promise](caf::error& failure) { deliver(promise, std::move(failure)); });
}

caf::result<std::string> supervisor::destroy_compute(const std::string& name, bool force) {
  auto entry = compute_named(name);
  if (!entry) return to_caf(entry.error());
  if (!force && (*entry)->info.state == "running")
    return to_caf({errc::conflict, "compute " + name + " runs; stop it first (zenith pg stop " +
                                       name +
                                       "), or use --force, which loses what the node lacks"});
  auto promise = make_response_promise<std::string>();
  if (force) {
    remove_compute(name, promise);
    return promise;
  }
  // What the stopped server's files still hold is taken before they go.
  stop_and_drain(name, /*immediate=*/false, [=, this](result<compute_info> drained) {
    if (!drained)
      return deliver(promise,
                     to_caf({drained.error().code,
                             "compute " + name + " may hold WAL that the node lacks (" +
                                 drained.error().message + "); --force destroys it all the same"}));
    remove_compute(name, promise);
  });
  return promise;
}

caf::result<std::vector<compute_info>> supervisor::list_computes() {
  auto promise = make_response_promise<std::vector<compute_info>>();
  refresh_timelines(std::chrono::seconds(2), [this, promise] {
    std::vector<compute_info> all;
    for (const auto& [name, entry] : computes_) {
      compute_info info = entry.info;
      const auto id = parse_timeline_id(info.timeline);
      const auto open = id ? timelines_.find(*id) : timelines_.end();
      if (open != timelines_.end())
        info.received_lsn = std::max(info.received_lsn, open->second.status.durable_lsn);
      all.push_back(std::move(info));
    }
    deliver(promise, std::move(all));
  });
  return promise;
}

}  // namespace zenith::actors
