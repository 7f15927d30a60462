// scenarios: what the servers of the golden corpus are made to do.
#pragma once

#include <string>
#include <vector>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

struct golden_recipe {
  std::string name;
  std::string configuration;  ///< lines for postgresql.conf, after those that all have
  /// Runs on a server that was started on a copy of the base; may stop and start it. It runs when
  /// this returns.
  void (*run)(postgres_server&);
};

/// In the order in which they are made.
std::vector<golden_recipe> golden_recipes();

void run_golden_indexes(postgres_server& server);
void run_golden_heap(postgres_server& server);
void run_golden_transactions(postgres_server& server);
void run_golden_databases(postgres_server& server);
void run_golden_events(postgres_server& server);

/// One statement after the other, each in a transaction of its own.
void run_each(sql_session& session, std::initializer_list<std::string> statements);

}  // namespace zenith::testing
