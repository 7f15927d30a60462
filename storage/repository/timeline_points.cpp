// What an open timeline answers about points: finding them, and how a server starts there.
#include <fmt/format.h>

#include <algorithm>

#include "storage/layers/transaction_times.hpp"
#include "storage/repository/timeline_store.hpp"

namespace zenith::repository {

result<std::optional<timestamp>> timeline_store::newest_commit(lsn at) const {
  ZENITH_TRY_ASSIGN(const auto newest, layers::newest_time(layers_->layers(end()), at));
  if (!newest) return std::nullopt;
  return timestamp{*newest};
}

result<point_found> timeline_store::find(const point_query& query, timestamp now) const {
  switch (query.kind) {
    case point_kind::end:
      return point_found{end(), last_record_, false};
    case point_kind::position:
      return find_position(query.position);
    case point_kind::time:
      return find_time(query.time, now);
  }
  return fail(errc::invalid_argument, "a point of an unknown kind");
}

result<point_found> timeline_store::find_position(lsn asked) const {
  const lsn at = without_page_header(asked, metadata_.segment_size_bytes);
  if (!check_kept(at)) {
    // The error names what was asked for, where that is no less outside.
    ZENITH_TRY(check_kept(asked));
    ZENITH_TRY(check_kept(at));
  }
  if (at > end())
    return fail(errc::not_arrived,
                fmt::format("LSN {} lies in the future: timeline {} ends at {}", to_string(asked),
                            to_string(metadata_.id), to_string(end())));
  if (at == end()) return point_found{end(), last_record_, false};
  if (const auto known = remembered(at)) return *known;
  const auto place = wal::locate_record(*all_wal_, identity(), at);
  if (!place && place.error().code == errc::out_of_range)
    return find_without_wal(at, place.error());
  if (!place) return tl::unexpected<error>(place.error());
  const lsn found = without_page_header(place->end, metadata_.segment_size_bytes);
  return point_found{found, place->start, found != at};
}

// What timelines, names and the manifest say of a place.
std::optional<point_found> timeline_store::remembered(lsn at) const {
  const auto next = next_remembered(at);
  if (!next || next->moved) return std::nullopt;
  return next;
}

std::optional<point_found> timeline_store::next_remembered(lsn at) const {
  std::optional<point_found> next;
  const auto offer = [&](lsn place, lsn previous) {
    if (previous.is_valid() && place >= at && (!next || place < next->at))
      next = point_found{place, previous, place != at};
  };
  offer(metadata_.start, metadata_.start_previous_record);
  const layers::wal_place& written = layers_->disk_consistent();
  offer(written.at, written.last_record);
  if (!needed_) return next;
  const auto places = needed_->places_of(metadata_.id);
  for (auto one = std::ranges::lower_bound(places, at, {}, &remembered_place::at);
       one != places.end() && (!next || one->at < next->at); ++one)
    offer(one->at, one->previous);
  return next;
}

// Up to the next transaction's end all states hold the same transactions.
result<point_found> timeline_store::find_without_wal(lsn at, const error& why) const {
  const auto none = [&](const std::string& others) {
    return fail(errc::out_of_range, fmt::format("no server can start at LSN {}: {}{}",
                                                to_string(at), why.message, others));
  };
  std::optional<point_found> next = next_remembered(at);
  ZENITH_TRY_ASSIGN(const auto ended, layers::first_end_from(layers_->layers(end()), at));
  if (ended) {
    const uint32_t segment_size = metadata_.segment_size_bytes;
    const lsn before = without_page_header(ended->start, segment_size);
    const lsn after = without_page_header(ended->end, segment_size);
    if (at > before) {
      // In the record, or at its end.
      if (!next || next->at > after) next = point_found{after, ended->start, after != at};
    } else if (ended->previous.is_valid()) {
      if (!next || next->at > before) next = point_found{before, ended->previous, before != at};
    } else if (!next || next->at > before) {
      return none("; the next one that works is " + to_string(after));
    }
  }
  if (!next) return none("");
  // Below what is kept whole, some transactions' ends are forgotten.
  if (next->moved && at < oldest_)
    return none("; the earliest that works is " + to_string(oldest_));
  ZENITH_TRY(check_kept(next->at));
  return *next;
}

result<point_found> timeline_store::find_time(timestamp time, timestamp now) const {
  if (time > now)
    return fail(errc::out_of_range,
                to_string(time) + " lies in the future; it is " + to_string(now) + " now");
  if (time < since_)
    return fail(errc::out_of_range, to_string(time) +
                                        " lies before the history that is kept, which begins at " +
                                        to_string(since_) + " (LSN " + to_string(oldest_) + ")");
  const auto all = layers_->layers(end());
  // What ended before the oldest state that is kept may be forgotten, but for the newest of it.
  ZENITH_TRY_ASSIGN(const auto forgotten, layers::newest_time(all, oldest_));
  if (forgotten && *forgotten > time.microseconds())
    return fail(errc::out_of_range,
                fmt::format("{} lies before the history that is kept; the earliest is {} (LSN {})",
                            to_string(time), to_string(timestamp{*forgotten}), to_string(oldest_)));
  ZENITH_TRY_ASSIGN(const auto later, layers::first_later_than(all, time.microseconds()));
  if (!later) return point_found{end(), last_record_, false};
  // Only what was written before layers remembered it takes a look at the WAL.
  if (!later->previous.is_valid()) return find_position(later->start);
  const lsn at = without_page_header(later->start, metadata_.segment_size_bytes);
  ZENITH_TRY(check_kept(at));
  return point_found{at, later->previous, false};
}

std::vector<pg_timeline_start> timeline_store::history_until(lsn at) const {
  std::vector<pg_timeline_start> history;
  for (const pg_timeline_start& one : metadata_.pg_timelines)
    if (history.empty() || one.start < at) history.push_back(one);
  return history;
}

result<std::shared_ptr<const start_plan>> timeline_store::plan(lsn at,
                                                               start_purpose purpose) const {
  ZENITH_TRY_ASSIGN(const point_found found, find_position(at));
  if (found.moved)
    return fail(errc::invalid_argument,
                fmt::format("no server can start at LSN {}, which is not the end of a record that "
                            "is known; the next one is {}",
                            to_string(at), to_string(found.at)));
  auto made = std::make_shared<start_plan>();
  start_facts facts;
  facts.purpose = purpose;
  if (purpose == start_purpose::write) {
    if (found.at != end())
      return fail(errc::conflict, fmt::format("a server that writes starts at its timeline's end, "
                                              "{}, not at {}",
                                              to_string(end()), to_string(at)));
    made->history = metadata_.pg_timelines;
    const bool made_by_initdb = is_root_ && metadata_.pg_timelines.size() == 1;
    facts.newest_has_wal = made_by_initdb || end() > made->history.back().start;
    facts.ends_with_shutdown_checkpoint = last_is_shutdown_checkpoint_;
  } else {
    made->history = history_until(found.at);
  }
  facts.newest = made->history.back().number;
  made->timeline = metadata_.id;
  made->at = found.at;
  made->previous = found.previous;
  made->decision = decide_start(facts);
  made->purpose = purpose;
  if (made->decision.number != facts.newest)
    made->history.push_back({made->decision.number, found.at});
  made->identity = identity();
  ZENITH_TRY_ASSIGN(made->view, view_at(found.at));
  made->wal = all_wal_;
  return made;
}

}  // namespace zenith::repository
