// A real PostgreSQL server for tests: its own directory, a private socket, gone with the test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

struct pg_conn;

namespace zenith::testing {

/// The full path of one of the server's programs ("initdb", "pg_waldump", "pgbench").
std::string pg_program(const std::string& name);

/// One libpq connection. Errors are exceptions that show the server's message.
class sql_session {
 public:
  explicit sql_session(const std::string& conninfo);
  ~sql_session();
  sql_session(const sql_session&) = delete;
  sql_session& operator=(const sql_session&) = delete;

  /// Runs statements; gives the last one's rows as text, NULL as "".
  std::vector<std::vector<std::string>> rows(const std::string& sql);
  /// The first column of the first row of rows(), "" where there is none.
  std::string value(const std::string& sql);
  void execute(const std::string& sql) { rows(sql); }
  /// COPY ... FROM STDIN of these lines.
  void copy_in(const std::string& sql, const std::string& lines);

 private:
  pg_conn* connection_;
};

enum class stop_mode { fast, immediate };

/// A server on a data directory, reached by a Unix socket in a private folder only. The destructor
/// stops it. Settings that every test wants (no TCP, autovacuum as configured, fsync off) come
/// first in the generated part of postgresql.conf, the caller's after them.
class postgres_server {
 public:
  struct options {
    std::vector<std::string> initdb;  ///< more arguments for initdb ("-k", "--wal-segsize=1")
    std::string configuration;        ///< lines for postgresql.conf
  };

  /// Makes a cluster by initdb in `directory`/data (the superuser is "postgres", trust on the
  /// socket) and does not start it.
  postgres_server(const temporary_directory& directory, const options& how);
  /// Takes a data directory that is there already (it is given to the database user).
  postgres_server(const temporary_directory& directory, std::filesystem::path data);
  ~postgres_server();
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;

  /// Returns once it accepts connections, and has made none itself; throws with its log where it
  /// does not within a minute. `arguments`: more for the postgres command line ("-c", "x=y").
  void start(const std::vector<std::string>& arguments = {});
  /// Returns once the process is gone.
  void stop(stop_mode mode = stop_mode::fast);
  /// kill -9 of the postmaster; waits until its children are gone as well.
  void kill();
  bool running() const { return process_ > 0; }
  pid_t process() const { return process_; }

  const std::filesystem::path& data() const { return data_; }
  /// The folder of its Unix socket (port 5432).
  const std::filesystem::path& socket_directory() const { return sockets_; }
  std::string conninfo(const std::string& database = "postgres") const;
  /// What the server logged so far.
  std::string log() const;

  /// On a kept connection to the database "postgres".
  std::vector<std::vector<std::string>> rows(const std::string& sql) { return session().rows(sql); }
  std::string value(const std::string& sql) { return session().value(sql); }
  void execute(const std::string& sql) { session().execute(sql); }
  sql_session& session();

 private:
  std::filesystem::path data_;
  std::filesystem::path sockets_;
  std::filesystem::path log_;
  pid_t process_ = -1;
  std::unique_ptr<sql_session> session_;
};

}  // namespace zenith::testing
