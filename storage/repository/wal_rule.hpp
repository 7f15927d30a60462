// wal_rule: how much of a timeline's WAL is kept verbatim.
#pragma once

#include <string>

#include "storage/base/lsn.hpp"
#include "storage/repository/retention_rule.hpp"
#include "storage/wal/wal_source.hpp"

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

/// A timeline's own WAL, open or as its files lie there.
struct kept_wal {
  const wal::wal_source& wal;  ///< begins where it is kept from
  wal::wal_identity identity;
  lsn last_written_record;  ///< as in wal_needs
  lsn last_record;
};
/// What of it is needed, by a window for WAL and by names; `needed`: null where that is not known,
/// so that all is kept. Errors: of reading layers and WAL.
result<wal_keep> needed_wal(const kept_wal& own, const known_history& history,
                            const retention_window& window, const timeline_id& id,
                            const needed_states* needed, timestamp now);

}  // namespace zenith::repository
