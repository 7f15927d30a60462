// hash_workload: SQL that makes a real server write the records of hash indexes.
#pragma once

#include <string>

namespace zenith::testing {

/// Runs in the database that conninfo names; the same seed gives the same statements. Needs
/// autovacuum off.
void run_hash_workload(const std::string& conninfo, unsigned seed = 1);

}  // namespace zenith::testing
