// retention_rule: which states of a timeline are kept: a window before its end, and what names
// need.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "storage/layers/retention.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::repository {

/// How much history stays readable at every LSN: what lies in either window.
struct retention_window {
  static constexpr uint64_t unlimited = UINT64_MAX;

  uint64_t time_us = uint64_t{7} * 24 * 3600 * 1'000'000;  ///< before now; unlimited: all
  uint64_t wal_bytes = 0;                                  ///< before the end; unlimited: all

  bool keeps_everything() const { return time_us == unlimited || wal_bytes == unlimited; }
};

/// The older of two places: where the time begins (`by_time`), and so many bytes before the end.
/// 0/0 where everything is kept.
lsn horizon_of(const retention_window& window, lsn by_time, lsn end);

/// A state that something needs. `previous`: where the record before it begins, 0/0 where that was
/// not remembered.
struct needed_point {
  timeline_point point;
  lsn previous = {};
};

/// A place where a server can start without a look at the WAL.
struct remembered_place {
  lsn at;
  lsn previous;  ///< where the record that ends there begins; 0/0: not known
};

/// The states that names need, by timeline. With each state that lies before a timeline's start,
/// the ancestors through which it is seen keep it as well.
class needed_states {
 public:
  /// `timelines`: all of a repository. `points`: what tags, computes, leases and requests that are
  /// under way need. What a child starts from is needed by its parent as long as it is there.
  needed_states(std::span<const timeline_metadata> timelines, std::span<const needed_point> points);
  /// Of what the repository knows, and more points. Where some of its files are damaged nobody
  /// knows what they need: everything is kept then.
  static needed_states of(const repository& names, std::span<const needed_point> more);

  /// `horizon`: horizon_of() for this timeline. Where that is 0/0, and so everything is kept from
  /// now on, the states below what was let go earlier are named all the same.
  layers::retention retention_of(const timeline_id& id, lsn horizon) const;
  /// What is needed of a timeline, ascending, each LSN once.
  std::span<const remembered_place> places_of(const timeline_id& id) const;
  /// False where damaged files may need what nobody knows of.
  bool knows_all() const { return !everything_; }

 private:
  std::map<timeline_id, std::vector<remembered_place>> by_timeline_;  // ascending, each once
  bool everything_ = false;
};

}  // namespace zenith::repository
