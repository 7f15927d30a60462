// hard_workload: the workloads of the single access methods, one after the other.
#include "tests/support/btree_workload.hpp"
#include "tests/support/gin_workload.hpp"
#include "tests/support/gist_workload.hpp"
#include "tests/support/hard_workload_parts.hpp"
#include "tests/support/hash_workload.hpp"
#include "tests/support/heap_workload.hpp"
#include "tests/support/index_workload.hpp"

namespace zenith::testing {

namespace {

/// What has done its part and only makes the cluster large.
void drop_large_tables(sql_session& session) {
  for (const auto& row :
       session.rows("select oid::regclass from pg_class where relkind = 'r' "
                    "and relnamespace >= 16384 and pg_relation_size(oid) > 3000000"))
    session.execute("drop table " + row[0] + " cascade");
}

}  // namespace

void work_on_indexes(workload_run& run) {
  const auto conninfo = run.host.conninfo(hard_database);
  const auto seed = [&run] { return static_cast<unsigned>(run.number(1, 999)); };
  run_heap_workload(conninfo, seed());
  run_btree_workload(conninfo, seed());
  run_sequence_workload(conninfo);
  run_generic_workload(conninfo, seed());
  run_hash_workload(conninfo, seed());
  run_gin_workload(conninfo, seed());
  run_gist_workload(conninfo, seed());
  run_brin_workload(conninfo, seed());
  run_spgist_workload(conninfo, seed());
  sql_session session(conninfo);
  drop_large_tables(session);
}

}  // namespace zenith::testing
