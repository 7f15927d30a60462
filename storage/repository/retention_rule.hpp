// retention_rule: which states of a timeline are kept: a window before its end, and what names
// need.
//
// There is no lease as such. Who reads holds a view, and a view keeps in use the files that it
// reads: what it sees stays as long as it is there, also below the horizon and where nothing names
// it. Connections give views back after the setting view_lifetime, so that is how long they hold
// back what collecting would free.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "storage/base/timestamp.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/retention.hpp"
#include "storage/repository/repository.hpp"

namespace zenith::repository {

/// How much history stays readable at every LSN: what lies in either window.
struct retention_window {
  static constexpr uint64_t unlimited = UINT64_MAX;

  uint64_t time_us = uint64_t{7} * 24 * 3600 * 1'000'000;  ///< before now; unlimited: all
  uint64_t wal_bytes = 0;                                  ///< before the end; unlimited: all

  bool keeps_everything() const { return time_us == unlimited || wal_bytes == unlimited; }
  bool operator==(const retention_window&) const = default;
};

/// The older of two places: where the time begins (`by_time`), and so many bytes before the end.
/// 0/0 where everything is kept.
lsn horizon_of(const retention_window& window, lsn by_time, lsn end);

/// A timeline's history as windows are laid over it: an open one's, or what files say of one that
/// is closed.
struct known_history {
  std::span<const layers::layer_reference> layers;  ///< newest first
  lsn end;
  lsn oldest;       ///< the oldest LSN that can be read
  timestamp since;  ///< nothing is known of what was before
};

/// Where a window begins: 0/0 where everything is kept, also because it is longer than what is
/// known. States that no transaction's end tells apart count as of one time. Errors: of reading
/// layers.
result<lsn> window_begin(const known_history& history, const retention_window& window,
                         timestamp now);

/// From where on every state of a timeline is kept: where its window begins, but never below what
/// can be read. What was let go under a shorter window does not come back, and the points below
/// `oldest` have to stay named: nothing else keeps their states.
result<lsn> horizon_in(const known_history& history, const retention_window& window, timestamp now);

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

  bool operator==(const remembered_place&) const = default;
};

/// The states that names need, by timeline. With each state that lies before a timeline's start,
/// the ancestors through which it is seen keep it as well.
class needed_states {
 public:
  /// `timelines`: all of a repository. `points`: what tags, computes and requests that are under
  /// way need. What a child starts from is needed by its parent as long as it is there.
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
