// stock_recovery: what a stock server's crash recovery of a pgbench run's WAL costs.
#pragma once

#include "bench/support/pgbench_wal.hpp"

namespace zenith::bench {

struct recovery_cost {
  double elapsed_s = 0;  ///< from the first record to the last
  double cpu_s = 0;      ///< the startup process's, user and system
};

/// Copies the crashed server, starts it, and kills it when it has recovered. Everything is in the
/// machine's page cache, and nothing is synced. Throws where it did not recover.
recovery_cost recover(const pgbench_wal& wal);

}  // namespace zenith::bench
