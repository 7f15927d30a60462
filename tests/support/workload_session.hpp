// workload_session: a connection on which a workload runs its statements, in a schema of its own.
#pragma once

#include <string>
#include <vector>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// One statement after the other, each in a transaction of its own unless it says begin.
inline void run_each(sql_session& session, const std::vector<std::string>& statements) {
  for (const auto& statement : statements) session.execute(statement);
}

/// A session whose tables are in this schema, which is made where it is not there yet, and whose
/// random() begins from the seed: the same seed gives the same rows.
class workload_session : public sql_session {
 public:
  workload_session(const std::string& conninfo, const std::string& schema, unsigned seed = 1)
      : sql_session(conninfo) {
    execute("set client_min_messages = warning; set lock_timeout = '20s'");
    execute("create schema if not exists " + schema);
    execute("set search_path = " + schema + ", public");
    execute("select setseed(" + std::to_string((seed % 1000) / 1000.0) + ")");
  }
};

}  // namespace zenith::testing
