// hard_workload: the order of its themes.
#include "tests/support/hard_workload.hpp"

#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {

void run_hard_workload(workload_host& host, const hard_workload_options& options) {
  workload_run run{host, options.size, std::mt19937_64{options.seed}};
  sql_session(host.conninfo())
      .execute(fmt::format("create database {} strategy {}", hard_database,
                           run.tiny() ? "file_copy" : "wal_log"));
  if (run.tiny())
    work_on_tiny_indexes(run);
  else
    work_on_indexes(run);
  work_on_relations(run);
  work_on_multixacts(run);
  work_on_transactions(run);
  work_on_databases(run);
  work_on_random_rows(run);
  work_on_restarts(run);
}

}  // namespace zenith::testing
