// The rule that decides how a server starts at an LSN.
#include "storage/repository/start_plan.hpp"

namespace zenith::repository {

start_decision decide_start(const start_facts& facts) {
  const pg_timeline next{static_cast<uint32_t>(facts.newest) + 1};
  if (facts.purpose == start_purpose::read) return {true, facts.newest, false};
  if (facts.purpose == start_purpose::copy) return {true, next, false};
  if (!facts.newest_has_wal) return {true, facts.newest, false};
  if (facts.ends_with_shutdown_checkpoint) return {false, facts.newest, false};
  return {true, next, true};
}

}  // namespace zenith::repository
