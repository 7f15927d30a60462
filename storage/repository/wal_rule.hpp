// wal_rule: how much of a timeline's WAL is kept verbatim.
#pragma once

#include <string>

#include "storage/base/lsn.hpp"
#include "storage/repository/retention_rule.hpp"

namespace zenith::repository {

/// What a timeline needs of its own WAL, whatever its window says.
struct wal_needs {
  lsn window_begin;         ///< horizon_of() of the window for WAL; 0/0: everything is kept
  lsn last_written_record;  ///< what comes from there on is in memory, and read again after a start
  lsn last_record;          ///< where a server may start from a shutdown checkpoint
  /// The first record that somebody's point needs, because nothing remembers where it begins; 0/0:
  /// none.
  lsn first_unremembered;
};

struct wal_keep {
  lsn from;         ///< WAL before may go, in whole segments
  std::string why;  ///< what keeps the rest, in words
};

/// The oldest of all that is needed.
wal_keep wal_to_keep(const wal_needs& needs);

}  // namespace zenith::repository
