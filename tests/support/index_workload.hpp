// index_workload: SQL that makes a real server write the records of BRIN and SP-GiST indexes.
#pragma once

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// They run on a started server's database "postgres"; they need autovacuum = off.
void run_brin_workload(postgres_server& server);
void run_spgist_workload(postgres_server& server);

}  // namespace zenith::testing
