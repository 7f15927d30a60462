// start_plan: how a server starts at an LSN of a timeline, and the rule that decides it.
#pragma once

#include <memory>
#include <vector>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/layers/view.hpp"
#include "storage/repository/metadata.hpp"
#include "storage/wal/decoder.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::repository {

/// What the server is for.
enum class start_purpose : uint8_t {
  write,  ///< it goes on with the timeline
  read,   ///< it never writes WAL
  copy,   ///< it leaves: what it writes is no part of the timeline
};

/// What the decision depends on, all as of the LSN.
struct start_facts {
  start_purpose purpose = start_purpose::write;
  bool ends_with_shutdown_checkpoint = false;
  /// WAL of the newest pg_timeline has been received: some server has written on it.
  bool newest_has_wal = false;
  pg_timeline newest{};
};

struct start_decision {
  /// A shutdown checkpoint record is appended at the LSN (in the new server's files only).
  bool append_checkpoint = false;
  pg_timeline number{};
  /// The number is one more than the newest so far, and must be recorded before the server starts.
  bool is_new = false;
  bool operator==(const start_decision&) const = default;
};

/// ARCHITECTURE.md, "Starting a server". A read-only server never writes WAL, so it stays on the
/// number that the LSN lies on (`newest` of the facts); a copy takes the next one, which is not
/// recorded. A writable one goes on after the shutdown
/// checkpoint of a clean stop; on a pg_timeline that no server has written on yet it appends its
/// checkpoint; else the number goes up by one, so that old and new WAL can never be mixed up.
start_decision decide_start(const start_facts& facts);

/// Everything that a server's data directory is made from.
struct start_plan {
  timeline_id timeline;
  lsn at;        ///< the aligned end of a whole record
  lsn previous;  ///< where that record begins
  start_decision decision;
  start_purpose purpose = start_purpose::write;
  /// Every pg_timeline from 1 on with its start, the decision's number last.
  std::vector<pg_timeline_start> history;
  wal::wal_identity identity;
  layers::view_ptr view;
  std::shared_ptr<const wal::wal_source> wal;
};

}  // namespace zenith::repository
