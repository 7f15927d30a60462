// The list of scenarios, each with the settings that its WAL is written with.
#include "tests/golden/scenarios.hpp"

namespace zenith::testing {

std::vector<golden_recipe> golden_recipes() {
  // Between them: images of all compressions and of none, first touches as images and as changes
  // of the base's pages, images that serve checking only.
  return {
      {"indexes",
       "full_page_writes = off\nwal_consistency_checking = 'gin, brin, sequence, generic'",
       run_golden_indexes},
      {"heap", "full_page_writes = off\nwal_consistency_checking = all", run_golden_heap},
      {"transactions", "full_page_writes = on\nwal_compression = zstd", run_golden_transactions},
      {"databases", "full_page_writes = off", run_golden_databases},
      {"events", "full_page_writes = on\nwal_compression = lz4", run_golden_events},
  };
}

void run_each(sql_session& session, std::initializer_list<std::string> statements) {
  for (const auto& statement : statements) session.execute(statement);
}

}  // namespace zenith::testing
