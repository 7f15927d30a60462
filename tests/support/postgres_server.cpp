// A real PostgreSQL server for tests.
#include "tests/support/postgres_server.hpp"

#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

std::string contents_of(const fs::path& name) {
  std::ifstream in(name, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Holds until no process has the data directory's lock socket open: the children of a killed
// postmaster notice its death by themselves.
bool somebody_is_attached(const fs::path& data) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code failure;
    const fs::path cwd = fs::read_symlink(entry.path() / "cwd", failure);
    if (!failure && cwd == data) return true;
  }
  return false;
}

// Whether the postmaster says in its lock file that it lets connections in (miscinit.c,
// LOCK_FILE_LINE_PM_STATUS; pg_ctl waits for the same). Asking by connecting (PQping) would start a
// backend, which reads catalogs and may prune their pages.
bool lets_connections_in(const fs::path& data, pid_t process) {
  std::istringstream lines(contents_of(data / "postmaster.pid"));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (number == 1 && line != std::to_string(process)) return false;
    if (number == 8) return line.starts_with("ready") || line.starts_with("standby");
  }
  return false;
}

}  // namespace

std::string pg_program(const std::string& name) { return std::string(ZENITH_PG_BIN "/") + name; }

sql_session::sql_session(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  if (PQstatus(connection_) == CONNECTION_OK) {
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    return;
  }
  const std::string message = PQerrorMessage(connection_);
  PQfinish(connection_);
  throw std::runtime_error("cannot connect (" + conninfo + "): " + message);
}

sql_session::~sql_session() { PQfinish(connection_); }

std::vector<std::vector<std::string>> sql_session::rows(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_, sql.c_str()),
                                                             PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection_));
  std::vector<std::vector<std::string>> all;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& one = all.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column)
      one.emplace_back(PQgetvalue(result.get(), row, column));
  }
  return all;
}

std::string sql_session::value(const std::string& sql) {
  const auto all = rows(sql);
  return all.empty() || all[0].empty() ? std::string() : all[0][0];
}

void sql_session::copy_in(const std::string& sql, const std::string& lines) {
  using pg_result = std::unique_ptr<PGresult, decltype(&PQclear)>;
  const pg_result begun(PQexec(connection_, sql.c_str()), PQclear);
  bool copied = PQresultStatus(begun.get()) == PGRES_COPY_IN &&
                PQputCopyData(connection_, lines.data(), static_cast<int>(lines.size())) == 1 &&
                PQputCopyEnd(connection_, nullptr) == 1;
  while (PGresult* ended = PQgetResult(connection_)) {
    copied = copied && PQresultStatus(ended) == PGRES_COMMAND_OK;
    PQclear(ended);
  }
  if (!copied) throw std::runtime_error(sql + ": " + PQerrorMessage(connection_));
}

postgres_server::postgres_server(const temporary_directory& directory, const options& how)
    : postgres_server(directory, directory / "data") {
  std::vector<std::string> command{
      pg_program("initdb"), "-D",        data_.string(), "-U",   "postgres",
      "--auth=trust",       "--no-sync", "-E",           "UTF8", "--locale=C"};
  command.insert(command.end(), how.initdb.begin(), how.initdb.end());
  run_ok(command);
  std::ofstream(data_ / "postgresql.conf", std::ios::app) << "fsync = off\nmax_wal_senders = 5\n"
                                                          << how.configuration << "\n";
}

postgres_server::postgres_server(const temporary_directory& directory, fs::path data)
    : data_(std::move(data)) {
  static int sequence = 0;
  const std::string number = std::to_string(++sequence);
  sockets_ = directory / ("s" + number);
  log_ = directory / ("server" + number + ".log");
  fs::create_directory(sockets_);
  give_to_database_user(sockets_);
  if (fs::exists(data_)) give_to_database_user(data_);
}

postgres_server::~postgres_server() {
  session_.reset();
  if (running()) stop(stop_mode::immediate);
}

void postgres_server::start(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{pg_program("postgres"),
                                   "-D",
                                   data_.string(),
                                   "-c",
                                   "listen_addresses=",
                                   "-c",
                                   "port=5432",
                                   "-c",
                                   "unix_socket_directories=" + sockets_.string(),
                                   "-c",
                                   "logging_collector=off"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  process_ = testing::start(command, log_);
  const bool answers = wait_until([&] {
    int status = 0;
    if (waitpid(process_, &status, WNOHANG) == process_) {
      process_ = -1;
      return true;
    }
    return lets_connections_in(data_, process_);
  });
  if (running() && answers) return;
  if (running()) stop(stop_mode::immediate);
  throw std::runtime_error("the server on " + data_.string() + " did not start:\n" + log());
}

void postgres_server::stop(stop_mode mode) {
  session_.reset();
  if (!running()) return;
  ::kill(process_, mode == stop_mode::fast ? SIGINT : SIGQUIT);
  wait_for_exit(process_);
  process_ = -1;
}

void postgres_server::kill() {
  session_.reset();
  ::kill(process_, SIGKILL);
  wait_for_exit(process_);
  process_ = -1;
  const bool gone = wait_until([&] { return !somebody_is_attached(data_); });
  if (!gone) throw std::runtime_error("children of the killed server remain on " + data_.string());
}

std::string postgres_server::conninfo(const std::string& database) const {
  return "host=" + sockets_.string() + " port=5432 user=postgres dbname=" + database;
}

std::string postgres_server::log() const { return contents_of(log_); }

sql_session& postgres_server::session() {
  if (!session_) session_ = std::make_unique<sql_session>(conninfo());
  return *session_;
}

}  // namespace zenith::testing
