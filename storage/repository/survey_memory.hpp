// survey_memory: what is remembered of closed timelines, so that their files are read again only
// once something may have become collectable.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "storage/repository/closed_timeline.hpp"

namespace zenith::repository {

/// A look at a timeline's files begins with begin_look() and ends with note(); what forget() is
/// told of meanwhile is not noted. Holds some 100 bytes a timeline, and what names need of it.
class survey_memory {
 public:
  /// Whether a look may find something: nothing is remembered, its windows or names have changed,
  /// or the time has come that the last look told.
  bool is_due(const closed_timeline& timeline, timestamp now) const;

  void begin_look(const closed_timeline& timeline);
  /// Nothing more is to be found before `next`, where nothing but time changes it; none: never.
  void note(const timeline_id& id, std::optional<timestamp> next);
  /// Its files change: somebody opens it, or it is gone.
  void forget(const timeline_id& id) { all_.erase(id); }

  /// Forgets the timelines that are not there any more.
  template <class IsThere>
  void keep_only(IsThere is_there) {
    std::erase_if(all_, [&](const auto& one) { return !is_there(one.first); });
  }

  size_t size() const { return all_.size(); }

 private:
  /// All that decides what may go, but for the files and the time.
  struct rules {
    retention_window window;
    retention_window wal_window;
    bool knows_all = false;
    std::vector<remembered_place> places;

    bool operator==(const rules&) const = default;
  };
  static rules rules_of(const closed_timeline& timeline);
  struct entry {
    rules seen;
    bool is_known = false;
    std::optional<timestamp> next;
  };

  std::map<timeline_id, entry> all_;
};

}  // namespace zenith::repository
