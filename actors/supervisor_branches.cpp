// The supervisor's names: branches, tags, and the points that they stand for.
#include <spdlog/spdlog.h>

#include "actors/clock.hpp"
#include "actors/errors.hpp"
#include "actors/supervisor.hpp"
#include "actors/when_all.hpp"
#include "storage/repository/point.hpp"

namespace zenith::actors {
namespace {

using repository::point_kind;

uint64_t microseconds_since(std::chrono::steady_clock::time_point began) {
  const auto took = std::chrono::steady_clock::now() - began;
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
}

// The pg_timelines of a child that leaves at an LSN: those that had begun, and one of its own.
std::vector<repository::pg_timeline_start> history_of_child(
    const std::vector<repository::pg_timeline_start>& parents, lsn at) {
  std::vector<repository::pg_timeline_start> history;
  for (const auto& one : parents)
    if (history.empty() || one.start < at) history.push_back(one);
  const auto newest = static_cast<uint32_t>(history.back().number);
  history.push_back({pg_timeline{newest + 1}, at});
  return history;
}

}  // namespace

result<supervisor::located_point> supervisor::locate(const std::string& text) const {
  ZENITH_TRY_ASSIGN(auto point, repository::parse_point(text));
  located_point located;
  ZENITH_TRY_ASSIGN(located.name, names().resolve(point.name));
  if (const lsn* at = std::get_if<lsn>(&point.at)) {
    located.query = {point_kind::position, *at, {}};
  } else if (const timestamp* time = std::get_if<timestamp>(&point.at)) {
    located.query = {point_kind::time, {}, *time};
  } else if (located.name.at) {
    located.query = {point_kind::position, *located.name.at, {}};
  } else {
    located.at_end = true;
  }
  if (located.name.at && located.query.kind == point_kind::position &&
      located.query.position > *located.name.at)
    return fail(errc::out_of_range, "tag " + point.name + " ends at " +
                                        to_string(*located.name.at) + ", before " +
                                        to_string(located.query.position));
  return located;
}

void supervisor::find(const located_point& point, found_callback then) {
  ++finding_;
  const found_callback done = [this, then](result<point_found> found) {
    then(std::move(found));
    --finding_;
  };
  auto timeline = timeline_of(point.name.timeline);
  if (!timeline) return done(tl::unexpected<error>(timeline.error()));
  const auto failed = [done](caf::error& failure) {
    done(tl::unexpected<error>(from_caf(failure)));
  };
  const auto ask = [=, this, actor = *timeline](const repository::point_query& query,
                                                auto otherwise) {
    request(actor, request_timeout(), point_atom::value, query)
        .then([done](const point_found& found) { done(found); }, otherwise);
  };
  compute_entry* writer = writer_of(point.name.timeline);
  if (writer == nullptr) {
    return ask(point.at_end ? repository::point_query{} : point.query, failed);
  }
  // What the server has flushed by now has to arrive before an end or a time can be told.
  const auto after_flush = [=, this, server = writer->actor, actor = *timeline] {
    request(server, request_timeout(), flush_atom::value)
        .then(
            [=, this](lsn flushed) {
              if (point.query.kind == point_kind::position && point.query.position > flushed)
                return done(fail(errc::out_of_range,
                                 "LSN " + to_string(point.query.position) +
                                     " lies in the future: the server has written up to " +
                                     to_string(flushed)));
              const repository::point_query end{point_kind::end, flushed, {}};
              if (point.at_end) return ask(end, failed);
              request(actor, request_timeout(), point_atom::value, end)
                  .then([=](const point_found&) { ask(point.query, failed); }, failed);
            },
            failed);
  };
  if (point.at_end || point.query.kind == point_kind::time) return after_flush();
  ask(point.query, [=](caf::error& failure) {
    if (from_caf(failure).code != errc::not_arrived)
      return done(tl::unexpected<error>(from_caf(failure)));
    after_flush();
  });
}

void supervisor::find_to_keep(const located_point& point, kept_by who, found_callback done) {
  find(point, [=, this, id = point.name.timeline](result<point_found> found) {
    if (!found) return done(std::move(found));
    check_kept_above(id, *found, who, done);
  });
}

// A timeline may read states from before its start, in its ancestors' files, which these have let
// go in theirs.
void supervisor::check_kept_above(const timeline_id& id, const point_found& found, kept_by who,
                                  found_callback done) {
  const auto stored = names().stored_timeline(id);
  if (!stored) return done(tl::unexpected<error>(stored.error()));
  const repository::timeline_metadata& here = **stored;
  if (!here.ancestor || found.at >= here.start) return done(found);
  if (who == kept_by::reader) {
    const auto has_layers =
        parameters_.files->exists(names().timeline_directory(id) / layers::manifest_name);
    if (!has_layers) return done(tl::unexpected<error>(has_layers.error()));
    if (*has_layers) return done(found);
  }
  const timeline_id above = here.ancestor->timeline;
  const auto timeline = timeline_of(above);
  if (!timeline) return done(tl::unexpected<error>(timeline.error()));
  ++finding_;
  request(*timeline, request_timeout(), view_atom::value, found.at)
      .then(
          [=, this](const view_ptr&) {
            check_kept_above(above, found, who, done);
            --finding_;
          },
          [=, this, start = here.start](caf::error& failure) {
            error why = from_caf(failure);
            if (why.code == errc::out_of_range)
              why.message = "LSN " + to_string(found.at) + " lies before the start of timeline " +
                            to_string(id) + ", at " + to_string(start) +
                            ", and is not kept any more by timeline " + to_string(above) +
                            ", which it belongs to: " + why.message;
            done(tl::unexpected<error>(why));
            --finding_;
          });
}

branch_info supervisor::describe_branch(const std::string& name,
                                        const repository::timeline_metadata& timeline) {
  branch_info info;
  info.name = name;
  info.timeline = to_string(timeline.id);
  if (timeline.ancestor) info.parent = names().branch_of(timeline.ancestor->timeline);
  info.start_lsn = timeline.start.value();
  info.created_at = timeline.created_at.unix_us();
  info.last_lsn = timeline.start.value();
  if (const auto open = timelines_.find(timeline.id); open != timelines_.end())
    info.last_lsn = std::max(info.last_lsn, open->second.status.last_lsn);
  else if (const auto rested = rested_.find(timeline.id); rested != rested_.end())
    info.last_lsn = std::max(info.last_lsn, rested->second.last_lsn);
  else
    info.last_lsn = end_of(timeline).value();
  return info;
}

caf::result<std::vector<branch_info>> supervisor::list_branches() {
  auto promise = make_response_promise<std::vector<branch_info>>();
  refresh_timelines(request_timeout(), [this, promise] {
    std::vector<branch_info> all;
    for (const auto& [name, branch] : names().branches())
      if (const auto timeline = names().stored_timeline(branch.timeline))
        all.push_back(describe_branch(name, **timeline));
    deliver(promise, std::move(all));
  });
  return promise;
}

caf::result<branch_made> supervisor::make_branch(const std::string& name,
                                                 const std::string& point) {
  const auto began = steady::now();
  if (auto free = names().check_new_name(name); !free) return to_caf(free.error());
  auto from = locate(point.empty() ? "main" : point);
  if (!from) return to_caf(from.error());
  auto promise = make_response_promise<branch_made>();
  const uint64_t before_us = microseconds_since(began);
  const auto asked = steady::now();
  find_to_keep(*from, kept_by::owner, [=, this, from = *from](result<point_found> found) {
    if (!found) return deliver(promise, to_caf(found.error()));
    branch_made made;
    made.waited_us = microseconds_since(asked);
    const auto resumed = steady::now();
    auto recorded = record_branch(name, from, *found);
    if (!recorded) return deliver(promise, to_caf(recorded.error()));
    made.branch = std::move(*recorded);
    made.moved = found->moved;
    made.supervisor_us = before_us + microseconds_since(resumed);
    deliver(promise, std::move(made));
  });
  return promise;
}

result<branch_info> supervisor::record_branch(const std::string& name, const located_point& from,
                                              const point_found& found) {
  // The world moved on while the timeline looked for the point: everything is checked again.
  ZENITH_TRY_ASSIGN(const timeline_id owner, names().owner_of(from.name.timeline, found.at));
  ZENITH_TRY_ASSIGN(const auto parent, names().timeline(owner));
  repository::timeline_metadata made;
  made.id = timeline_id::random();
  made.ancestor = repository::timeline_point{owner, found.at};
  made.system = parent.system;
  made.pg_version = parent.pg_version;
  made.segment_size_bytes = parent.segment_size_bytes;
  made.checksums = parent.checksums;
  made.start = found.at;
  made.start_previous_record = found.previous;
  made.pg_timelines = history_of_child(parent.pg_timelines, found.at);
  made.created_at = actors::now();
  ZENITH_TRY(names().create_branch(name, made));
  spdlog::info("branch {} at {} of {} is timeline {}", name, to_string(found.at), to_string(owner),
               to_string(made.id));
  return describe_branch(name, made);
}

// One look after the other: children go before what they were made from.
void supervisor::collect_garbage(std::function<void()> done) {
  if (!removing_.empty()) return garbage_wanted_.push_back(std::move(done));
  begin_garbage({std::move(done)});
}

void supervisor::begin_garbage(std::vector<std::function<void()>> done) {
  const std::vector<timeline_id> garbage = names().garbage_timelines();
  removing_.insert(garbage.begin(), garbage.end());
  const auto remove = [=, this] {
    for (const timeline_id& id : garbage) {
      removing_.erase(id);
      if (auto removed = names().remove_timeline(id); !removed) {
        spdlog::error("timeline {}: {}", to_string(id), removed.error().message);
        continue;
      }
      rested_.erase(id);
      ends_.erase(id);
    }
    for (const auto& each : done) each();
    if (!garbage_wanted_.empty() && removing_.empty())
      begin_garbage(std::exchange(garbage_wanted_, {}));
  };
  const auto one_less = when_all(garbage.size() + 1, remove);
  for (const timeline_id& id : garbage) end_timeline(id, one_less);
  one_less();
}

caf::result<std::string> supervisor::delete_branch(const std::string& name, bool force) {
  auto branch = names().branch(name);
  if (!branch) return to_caf(branch.error());
  if (auto free = names().check_branch_may_go(name); !free) return to_caf(free.error());
  const std::string id = to_string(branch->timeline);
  std::string running;
  std::vector<std::string> on_it;
  for (const auto& [compute, entry] : computes_) {
    if (entry.info.timeline != id) continue;
    on_it.push_back(compute);
    if (entry.info.state == "running") running = compute;
  }
  if (!force && !running.empty())
    return to_caf({errc::conflict, "compute " + running + " runs on branch " + name +
                                       "; stop it first, or use --force"});
  if (!force && !on_it.empty())
    return to_caf({errc::conflict, "compute " + on_it.front() + " is on branch " + name +
                                       "; destroy it first (zenith pg destroy " + on_it.front() +
                                       "), or use --force"});
  auto promise = make_response_promise<std::string>();
  const auto remove = [this, name, promise]() {
    if (auto gone = names().delete_branch(name); !gone)
      return deliver(promise, to_caf(gone.error()));
    collect_garbage([this, name, promise] {
      deliver(promise, name);
      // Others' files that only this branch has named go, and what was kept for it.
      collect_in_background();
    });
  };
  if (on_it.empty()) {
    remove();
    return promise;
  }
  const auto one_less = when_all(on_it.size(), remove);
  for (const std::string& compute : on_it)
    request(actor_cast<supervisor_actor>(this), caf::infinite, pg_destroy_atom::value, compute,
            true)
        .then([one_less](const std::string&) { one_less(); },
              [promise](caf::error& failure) { deliver(promise, std::move(failure)); });
  return promise;
}

caf::result<std::string> supervisor::rename_branch(const std::string& from, const std::string& to) {
  if (auto renamed = names().rename_branch(from, to); !renamed) return to_caf(renamed.error());
  for (auto& [name, entry] : computes_) {
    if (entry.info.branch != from) continue;
    entry.info.branch = to;
    if (auto metadata = names().compute(name)) {
      metadata->branch = to;
      if (auto written = names().write_compute(*metadata); !written) return to_caf(written.error());
    }
  }
  return to;
}

caf::result<std::vector<tag_info>> supervisor::list_tags() const {
  std::vector<tag_info> all;
  for (const auto& [name, tag] : names().tags())
    all.push_back({name, to_string(tag.point.timeline), names().branch_of(tag.point.timeline),
                   tag.point.at.value(), tag.created_at.unix_us()});
  return all;
}

caf::result<tag_info> supervisor::make_tag(const std::string& name, const std::string& point) {
  if (auto free = names().check_new_name(name); !free) return to_caf(free.error());
  auto from = locate(point.empty() ? "main" : point);
  if (!from) return to_caf(from.error());
  auto promise = make_response_promise<tag_info>();
  find_to_keep(*from, kept_by::owner, [=, this, from = *from](result<point_found> found) {
    if (!found) return deliver(promise, to_caf(found.error()));
    const auto owner = names().owner_of(from.name.timeline, found->at);
    if (!owner) return deliver(promise, to_caf(owner.error()));
    const repository::tag_metadata tag{{*owner, found->at}, actors::now(), found->previous};
    if (auto made = names().create_tag(name, tag); !made)
      return deliver(promise, to_caf(made.error()));
    deliver(promise, tag_info{name, to_string(*owner), names().branch_of(*owner), found->at.value(),
                              tag.created_at.unix_us()});
  });
  return promise;
}

caf::result<std::string> supervisor::delete_tag(const std::string& name) {
  if (auto gone = names().delete_tag(name); !gone) return to_caf(gone.error());
  auto promise = make_response_promise<std::string>();
  collect_garbage([promise, name] { deliver(promise, name); });
  return promise;
}

caf::result<point_info> supervisor::resolve(const std::string& text) {
  auto point = locate(text);
  if (!point) return to_caf(point.error());
  auto promise = make_response_promise<point_info>();
  find(*point, [=, this, point = *point](result<point_found> found) {
    if (!found) return deliver(promise, to_caf(found.error()));
    auto timeline = timeline_of(point.name.timeline);
    if (!timeline) return deliver(promise, to_caf(timeline.error()));
    point_info info;
    info.timeline = to_string(point.name.timeline);
    info.branch = point.name.branch;
    info.lsn = found->at.value();
    info.moved = found->moved;
    request(*timeline, request_timeout(), lookup_atom::value, found->at)
        .then(
            [info, promise](int64_t newest_us) {
              point_info answer = info;
              answer.has_time = newest_us != 0;
              if (answer.has_time) answer.time = timestamp{newest_us}.unix_us();
              deliver(promise, answer);
            },
            [promise](caf::error& failure) { deliver(promise, std::move(failure)); });
  });
  return promise;
}

}  // namespace zenith::actors
