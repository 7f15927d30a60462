// commit_index: where transactions ended, to find an LSN by a time and a time by an LSN.
#pragma once

#include <optional>
#include <shared_mutex>
#include <span>
#include <vector>

#include "storage/base/lsn.hpp"

#include <memory>

namespace zenith::layers {

/// A commit or an abort.
struct transaction_end {
  int64_t time_us = 0;  ///< microseconds since 2000-01-01 UTC (TimestampTz)
  lsn start;            ///< where its record begins: the point just before it
  lsn end;              ///< where its record ends: the point just after it
};

/// The transaction ends of one timeline's own WAL. Times may go back (clocks, and commits that
/// overtake each other); searches go by the largest time so far, which never falls, and reaches a
/// time first exactly where the first transaction with that time or a later one ended.
/// One writer, any number of readers.
class commit_index {
 public:
  /// LSNs rise.
  void append(int64_t time_us, lsn start, lsn end);

  /// The first in LSN order of those that ended at or before `until` whose time is later than
  /// this one. What recovery_target_time stops before (recoveryStopsBefore in xlogrecovery.c).
  std::optional<transaction_end> first_later_than(int64_t time_us, lsn until) const;

  /// The newest time of all that ended at or before an LSN.
  std::optional<int64_t> newest_time(lsn until) const;

  size_t size() const;

 private:
  struct entry {
    int64_t newest_time_us;  // of this and all before
    lsn start;
    lsn end;
  };
  mutable std::shared_mutex mutex_;
  std::vector<entry> entries_;
};

/// A commit index as seen by one timeline: of it, what ended at or before `until` counts.
struct commit_index_reference {
  std::shared_ptr<const commit_index> data;
  lsn until;
};

/// commit_index::first_later_than over a timeline and its ancestors, newest first.
std::optional<transaction_end> first_later_than(std::span<const commit_index_reference> chain,
                                                int64_t time_us);
/// commit_index::newest_time over a timeline and its ancestors, newest first.
std::optional<int64_t> newest_time(std::span<const commit_index_reference> chain, lsn until);

}  // namespace zenith::layers
