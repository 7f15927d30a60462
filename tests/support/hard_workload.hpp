// hard_workload: seeded SQL that makes a real server write every record type, in hard shapes.
#pragma once

#include <cstdint>

#include "tests/support/workload_host.hpp"

namespace zenith::testing {

enum class workload_size {
  tiny,    ///< every SQL-reachable shape once, if it takes no megabytes of WAL: the golden corpus
  normal,  ///< every shape with splits, deletions and overflows of pages: the judges' load
};

struct hard_workload_options {
  uint32_t seed = 1;
  workload_size size = workload_size::normal;
};

/// Runs on a host's databases, of which it makes more; the same seed gives the same statements.
/// Reaches all that SQL, several sessions and restarts can reach. Prepared transactions, an
/// unlogged table and shared rows are alive when it returns.
void run_hard_workload(workload_host& host, const hard_workload_options& options);

/// What needs the server's own files or processes: a base backup, a WAL record torn by a crash, a
/// transaction log long enough to be truncated, and last a promotion to the next pg_timeline.
/// Leaves the server running on it.
void run_server_events(postgres_server& server, const hard_workload_options& options);

}  // namespace zenith::testing
