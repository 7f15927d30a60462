// gist_workload: SQL that drives a real server's gist indexes through every record type.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Runs in the database that conninfo names; the same seed gives the same statements. Needs
/// autovacuum off and wal_level replica or higher.
void run_gist_workload(const std::string& conninfo, unsigned seed);

}  // namespace zenith::testing
