// heap_workload: SQL that makes a real server write every kind of heap record, in many shapes.
#pragma once

#include <string>

namespace zenith::testing {

/// Runs in the database that conninfo names, which it leaves with tables of all sorts; the same
/// seed gives the same statements. Needs wal_level = logical (Heap2/NEW_CID, Heap2/REWRITE),
/// autovacuum = off, and no prepared transaction (a logical slot waits for its end).
void run_heap_workload(const std::string& conninfo, unsigned seed = 1);

/// Speculative insertions, confirmed and taken back (insert ... on conflict): in each round several
/// sessions have inserted a row of the same key before any of them makes an index entry for it.
void run_speculative_workload(const std::string& conninfo, const std::string& schema, int rounds);

/// Tables whose visibility maps have several pages, with bits of heap blocks on both sides of a
/// map page's end set and cleared in every way.
void run_visibility_workload(const std::string& conninfo);

}  // namespace zenith::testing
