// workload_host: the server that a workload runs on, as far as the workload may move it.
#pragma once

#include <string>

#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// A running stock server, started by hand or by a node. What it must have configured:
/// max_prepared_transactions >= 20, track_commit_timestamp = on, allow_in_place_tablespaces = on,
/// wal_level = logical, autovacuum = off, lock_timeout.
class workload_host {
 public:
  virtual ~workload_host() = default;

  /// For superuser connections; the text may change with each restart.
  virtual std::string conninfo(const std::string& database = "postgres") const = 0;
  /// A clean stop, and a start on the same data. Ends all sessions.
  virtual void restart() = 0;
  /// A kill -9, and a start that recovers. Ends all sessions.
  virtual void crash() = 0;
};

/// A server of the test's own.
class postgres_server_host final : public workload_host {
 public:
  explicit postgres_server_host(postgres_server& server) : server_(server) {}
  std::string conninfo(const std::string& database) const override {
    return server_.conninfo(database);
  }
  void restart() override {
    server_.stop();
    server_.start();
  }
  void crash() override {
    server_.kill();
    server_.start();
  }

 private:
  postgres_server& server_;
};

}  // namespace zenith::testing
