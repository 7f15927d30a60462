// hard_workload: the order of its themes.
#include "tests/support/hard_workload.hpp"

#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {

void run_hard_workload(workload_host& host, const hard_workload_options& options) {
  workload_run run{host, options.size, std::mt19937_64{options.seed}};
  sql_session(host.conninfo()).execute(fmt::format("create database {}", hard_database));
  work_on_indexes(run);
  work_on_relations(run);
  work_on_multixacts(run);
  work_on_transactions(run);
  work_on_databases(run);
  work_on_random_rows(run);
  work_on_restarts(run);
}

}  // namespace zenith::testing
