// btree_workload: SQL that drives a real server's btree indexes through every record type.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Runs in the database that conninfo names; the same seed gives the same statements. Needs
/// autovacuum off and wal_level replica or higher.
void run_btree_workload(const std::string& conninfo, unsigned seed);
/// Sequences, in the same way.
void run_sequence_workload(const std::string& conninfo);
/// Bloom indexes: what writes generic records in stock PostgreSQL (contrib/bloom).
void run_generic_workload(const std::string& conninfo, unsigned seed);

}  // namespace zenith::testing
