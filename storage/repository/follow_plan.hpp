// follow_plan: how a timeline goes on with a server that has left its pg_timeline for a later one.
#pragma once

#include <vector>

#include "storage/backup/pg_history.hpp"
#include "storage/repository/metadata.hpp"

namespace zenith::repository {

struct follow_plan {
  pg_timeline next{};  ///< the pg_timeline that follows ours in the server's history
  lsn left_at;         ///< where it begins; all WAL before it is ours
  /// Whether all of that is held: then `next` is to be recorded and streamed from there on. Else
  /// the rest of ours comes first.
  bool now = false;
};

/// A promoted server goes on where its history says (timeline.c, readTimeLineHistory): at or after
/// `end`, up to which the timeline holds WAL. `ours`: its pg_timelines; `history`: those before the
/// server's own, `server`. Error: conflict, where the server's history is another one than ours, or
/// lacks WAL that we hold; says both LSNs.
result<follow_plan> plan_following(const std::vector<pg_timeline_start>& ours, lsn end,
                                   pg_timeline server,
                                   const std::vector<backup::past_pg_timeline>& history);

}  // namespace zenith::repository
