// commit_index: where transactions ended in a memory layer, to find an LSN by a time and a time by
// an LSN.
#pragma once

#include <atomic>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "storage/base/lsn.hpp"
#include "storage/layers/transaction_end.hpp"

namespace zenith::layers {

/// Times may go back (clocks, and commits that overtake each other); searches go by the largest
/// time so far, which never falls, and reaches a time first exactly where the first transaction
/// with that time or a later one ended. Nothing else of a time is kept.
/// One writer, any number of readers.
class commit_index {
 public:
  /// LSNs rise. `previous`: as in transaction_end.
  void append(int64_t time_us, lsn start, lsn end, lsn previous = {});

  /// The first in LSN order of those that ended at or before `until` whose time is later than
  /// this one. What recovery_target_time stops before (recoveryStopsBefore in xlogrecovery.c).
  std::optional<transaction_end> first_later_than(int64_t time_us, lsn until) const;

  /// The first that ended at an LSN or later, and at or before `until`.
  std::optional<transaction_end> first_from(lsn from, lsn until) const;

  /// The newest time of all that ended at or before an LSN.
  std::optional<int64_t> newest_time(lsn until) const;

  /// As layer files hold them.
  struct batch {
    lsn first_end;
    bytes encoded;
  };
  /// All that ended at or before an LSN.
  std::vector<batch> batches(lsn until) const;

  size_t size() const;
  /// What its entries take. For the writer.
  size_t size_bytes() const { return entries_.capacity() * sizeof(transaction_end); }

 private:
  mutable std::shared_mutex mutex_;
  std::vector<transaction_end> entries_;  // each with the largest time up to it
};

}  // namespace zenith::layers
