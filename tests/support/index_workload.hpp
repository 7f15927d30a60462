// index_workload: SQL that makes a real server write the records of BRIN and SP-GiST indexes.
#pragma once

#include <string>

namespace zenith::testing {

/// They run in the database that conninfo names; the same seed gives the same statements. They
/// need autovacuum off.
void run_brin_workload(const std::string& conninfo, unsigned seed = 1);
void run_spgist_workload(const std::string& conninfo, unsigned seed = 1);

}  // namespace zenith::testing
