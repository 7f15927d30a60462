// The supervisor's receivers: what follows each server that writes, begun again when it ends.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "actors/errors.hpp"
#include "actors/supervisor.hpp"
#include "actors/wal_receiver.hpp"
#include "storage/repository/node_file.hpp"

namespace zenith::actors {

void supervisor::start_receiver(compute_entry& entry) {
  if (entry.receiver || !is_writable(entry.info) || shutting_down_) return;
  const auto id = parse_timeline_id(entry.info.timeline);
  const auto timeline = id ? timeline_of(*id, timeline_use::write)
                           : result<timeline_actor>(tl::unexpected(id.error()));
  const auto metadata = id ? names().timeline(*id)
                           : result<repository::timeline_metadata>(tl::unexpected(id.error()));
  if (!timeline || !metadata) {
    entry.info.problem = timeline ? metadata.error().message : timeline.error().message;
    spdlog::error("compute {}: {}", entry.info.name, entry.info.problem);
    return answer_waiting(entry);
  }
  receiver_parameters how;
  how.compute = entry.info.name;
  how.conninfo = "host=" + repository::conninfo_value(parameters_.socket_directory.string()) +
                 " port=" + std::to_string(entry.info.port) + " user=postgres";
  how.slot = receiver_name_of(*id);
  how.application = how.slot;
  how.expected = {metadata->system, metadata->current_pg_timeline(), metadata->segment_size_bytes};
  how.pg_timelines = metadata->pg_timelines;
  how.chunk_size_max_bytes = parameters_.settings.size_bytes("receiver_chunk_max");
  how.unsynced_max_bytes = parameters_.settings.size_bytes("unsynced_wal_max");
  how.status_interval = parameters_.settings.duration("receiver_status_interval");
  how.backoff_min = parameters_.settings.duration("receiver_backoff_min");
  how.backoff_max = parameters_.settings.duration("receiver_backoff_max");
  entry.receiver = spawn<caf::detached + caf::monitored>(wal_receiver, how, *timeline,
                                                         actor_cast<supervisor_actor>(this));
}

caf::result<lsn> supervisor::follow_promotion(const std::string& name, pg_timeline next, lsn at) {
  auto entry = compute_named(name);
  if (!entry) return to_caf(entry.error());
  const auto id = parse_timeline_id((*entry)->info.timeline);
  if (!id) return to_caf(id.error());
  const auto timeline = timeline_of(*id, timeline_use::write);
  if (!timeline) return to_caf(timeline.error());
  auto promise = make_response_promise<lsn>();
  const auto failed = [promise](caf::error& failure) { deliver(promise, std::move(failure)); };
  // The end is durable before anything durable says what follows it.
  request(*timeline, caf::infinite, point_atom::value, repository::point_query{})
      .then(
          [=, this, id = *id, timeline = *timeline](const point_found& end) {
            auto updated = names().timeline(id);
            if (!updated) return deliver(promise, to_caf(updated.error()));
            if (end.at != at || updated->current_pg_timeline() >= next)
              return deliver(promise, to_caf({errc::conflict, "timeline " + to_string(id) +
                                                                  " has changed meanwhile"}));
            updated->pg_timelines.push_back({next, at});
            if (auto written = names().update_timeline(*updated); !written)
              return deliver(promise, to_caf(written.error()));
            spdlog::info("timeline {}: pg_timeline {} from {} on, for {} was promoted",
                         to_string(id), static_cast<uint32_t>(next), to_string(at), name);
            const auto record = std::make_shared<const repository::timeline_metadata>(*updated);
            request(timeline, caf::infinite, plan_atom::value, metadata_ptr{record})
                .then([promise](lsn end) { deliver(promise, end); }, failed);
          },
          failed);
  return promise;
}

void supervisor::stop_receiver(compute_entry& entry) {
  if (entry.receiver) send_exit(entry.receiver, caf::exit_reason::user_shutdown);
  entry.receiver = nullptr;
  entry.streaming = false;
}

void supervisor::restart_receiver_later(compute_entry& entry) {
  stop_receiver(entry);
  const auto least = parameters_.settings.duration("receiver_backoff_min");
  const auto most = parameters_.settings.duration("receiver_backoff_max");
  entry.backoff = std::clamp(entry.backoff * 2, least, most);
  delayed_send(this, entry.backoff, watch_atom::value);
}

void supervisor::start_missing_receivers() {
  for (auto& [name, entry] : computes_)
    if (entry.info.state == "running") start_receiver(entry);
}

void supervisor::stream_changed(const std::string& name, const std::string& problem) {
  const auto found = computes_.find(name);
  if (found == computes_.end()) return;
  compute_entry& entry = found->second;
  // What a former receiver said last may come late.
  if (!entry.receiver || !current_sender() ||
      entry.receiver.address() != current_sender()->address())
    return;
  entry.streaming = problem.empty();
  if (entry.streaming) entry.backoff = {};
  entry.info.problem = problem;
  if (!problem.empty()) spdlog::warn("compute {}: {}", name, problem);
  answer_waiting(entry);
}

void supervisor::answer_waiting(compute_entry& entry) {
  const compute_info& info = entry.info;
  for (auto& promise : std::exchange(entry.waiting_for_stream, {})) {
    if (entry.streaming) {
      deliver(promise, info);
    } else if (info.state == "running") {
      deliver(promise, to_caf({errc::unavailable,
                               "compute " + info.name +
                                   " runs, but the node cannot follow it: " + info.problem}));
    } else {
      deliver(promise, to_caf({errc::unavailable,
                               "compute " + info.name + " is " + info.state + " already" +
                                   (info.problem.empty() ? std::string() : ": " + info.problem)}));
    }
  }
}

}  // namespace zenith::actors
