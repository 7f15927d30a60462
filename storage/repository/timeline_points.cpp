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
  ZENITH_TRY_ASSIGN(const auto place, wal::locate_record(*all_wal_, identity(), at));
  const lsn found = without_page_header(place.end, metadata_.segment_size_bytes);
  return point_found{found, place.start, found != at};
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
    return fail(errc::invalid_argument, to_string(at) + " is not the end of a record");
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
