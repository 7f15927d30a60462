// gin_workload: SQL that drives a real server's gin indexes through every record type.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Runs in the database that conninfo names; the same seed gives the same statements. Needs
/// autovacuum off.
void run_gin_workload(const std::string& conninfo, unsigned seed);

}  // namespace zenith::testing
