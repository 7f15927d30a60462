// heap_workload: SQL that makes a real server write every kind of heap record, in many shapes.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Runs on a started server's database "postgres", which it leaves with tables of all sorts.
/// Needs wal_level = logical (Heap2/NEW_CID, Heap2/REWRITE) and autovacuum = off.
void run_heap_workload(postgres_server& server);

/// Tables whose visibility maps have several pages, with bits of heap blocks on both sides of a
/// map page's end set and cleared in every way.
void run_visibility_workload(postgres_server& server);

}  // namespace zenith::testing
