// hash_workload: SQL that makes a real server write the records of hash indexes.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Runs on a started server's database "postgres"; needs autovacuum = off.
void run_hash_workload(postgres_server& server);

}  // namespace zenith::testing
