// The compute actor: runs PostgreSQL's own programs on one data directory.
#include "actors/compute.hpp"

#include <libpq-fe.h>
#include <spdlog/spdlog.h>

#include <fstream>

#include "actors/compute_directory.hpp"
#include "actors/errors.hpp"
#include "actors/processes.hpp"
#include "storage/repository/node_file.hpp"

namespace zenith::actors {
namespace {

namespace fs = std::filesystem;
using self_pointer = compute_actor::stateful_pointer<compute_state>;
using repository::access_mode;

constexpr std::chrono::milliseconds watch_interval{500};

fs::path pgdata(const compute_parameters& how) { return how.directory / "pgdata"; }
fs::path log_of(const compute_parameters& how) { return how.directory / "log"; }

std::string percent_encoded(const std::string& text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("-._~", c) != nullptr) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[static_cast<unsigned char>(c) >> 4];
      encoded += digits[c & 15];
    }
  }
  return encoded;
}

void tell(self_pointer self) {
  self->send(self->state.supervisor, changed_atom::value, self->state.info);
}

error program_failure(const compute_state& state, const std::string& what,
                      const finished_program& ran) {
  std::string reason = log_tail(log_of(state.parameters));
  if (reason.empty()) reason = ran.output;
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  return {errc::unavailable, "compute " + state.info.name + " " + what + ": " + reason +
                                 " (its log: " + log_of(state.parameters).string() + ")"};
}

// The folder is the node's own and the port this compute's: what lies there is a dead server's.
// PostgreSQL itself would refuse to start where another process has that server's number by now.
void remove_stale_socket(const compute_parameters& how) {
  const std::string name = ".s.PGSQL." + std::to_string(how.metadata.port);
  std::error_code ignored;
  fs::remove(how.socket_directory / name, ignored);
  fs::remove(how.socket_directory / (name + ".lock"), ignored);
}

result<compute_info> start_server(self_pointer self) {
  compute_state& state = self->state;
  const compute_parameters& how = state.parameters;
  state.process = running_server(pgdata(how));
  if (!state.process) {
    if (!port_is_free(how.metadata.port))
      return fail(errc::conflict, "port " + std::to_string(how.metadata.port) +
                                      " of 127.0.0.1 is in use by another program, and compute " +
                                      state.info.name + " was made with it");
    // The control file is written last: without it the directory is not whole.
    if (!fs::exists(pgdata(how) / "global" / "pg_control"))
      return fail(errc::conflict,
                  "compute " + state.info.name +
                      " has no whole data directory; destroy it (zenith pg destroy " +
                      state.info.name + " --force) and create it again");
    remove_stale_socket(how);
    ZENITH_TRY(write_configuration(how));
    state.info.state = "starting";
    tell(self);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(how.start_timeout);
    ZENITH_TRY_ASSIGN(const auto ran,
                      run_program({(how.pg_bin / "pg_ctl").string(), "start", "-w", "-s", "-D",
                                   pgdata(how).string(), "-l", log_of(how).string(), "-t",
                                   std::to_string(seconds.count())}));
    state.process = running_server(pgdata(how));
    if (ran.exit_code != 0 || !state.process) {
      state.info.state = "failed";
      const error failure = program_failure(state, "did not start", ran);
      state.info.problem = failure.message;
      tell(self);
      return tl::unexpected<error>(failure);
    }
  }
  state.info.state = "running";
  state.info.problem.clear();
  return state.info;
}

result<compute_info> stop_server(self_pointer self, bool immediate) {
  compute_state& state = self->state;
  const compute_parameters& how = state.parameters;
  state.process = running_server(pgdata(how));
  if (state.process) {
    state.info.state = "stopping";
    tell(self);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(how.stop_timeout);
    ZENITH_TRY_ASSIGN(const auto ran,
                      run_program({(how.pg_bin / "pg_ctl").string(), "stop", "-w", "-s", "-D",
                                   pgdata(how).string(), "-m", immediate ? "immediate" : "fast",
                                   "-t", std::to_string(seconds.count())}));
    state.process = running_server(pgdata(how));
    if (state.process) {
      state.info.state = "running";
      return tl::unexpected<error>(program_failure(state, "did not stop", ran));
    }
  }
  // Only a directory that was written whole has a control file, and settings worth keeping.
  std::error_code ignored;
  if (fs::exists(pgdata(how) / "global" / "pg_control", ignored) &&
      how.metadata.access == access_mode::read_write)
    ZENITH_TRY(keep_configuration(how));
  state.info.state = "stopped";
  state.info.problem.clear();
  return state.info;
}

// A commit that is flushed flushes all before it, asynchronous ones too (xact.c, XLogFlush).
result<lsn> flush_server(const compute_state& state) {
  const std::string conninfo =
      "host=" + repository::conninfo_value(state.parameters.socket_directory.string()) +
      " port=" + std::to_string(state.info.port) +
      " user=postgres dbname=postgres connect_timeout=10 "
      "application_name=zenith_branch options='-c synchronous_commit=local"
      " -c statement_timeout=10000'";
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo.c_str()),
                                                                PQfinish);
  const auto failure = [&](const std::string& what) {
    return fail(errc::unavailable, "compute " + state.info.name + " " + what + ": " +
                                       PQerrorMessage(connection.get()));
  };
  if (PQstatus(connection.get()) != CONNECTION_OK) return failure("cannot be reached");
  const auto run = [&](const char* sql) {
    return std::unique_ptr<PGresult, decltype(&PQclear)>(PQexec(connection.get(), sql), PQclear);
  };
  const auto emitted = run("select pg_logical_emit_message(true, 'zenith', '')");
  if (PQresultStatus(emitted.get()) != PGRES_TUPLES_OK) return failure("cannot commit a message");
  const auto flushed = run("select pg_current_wal_flush_lsn()");
  if (PQresultStatus(flushed.get()) != PGRES_TUPLES_OK || PQntuples(flushed.get()) != 1)
    return failure("does not say how far it has flushed");
  return parse_lsn(PQgetvalue(flushed.get(), 0, 0));
}

void watch(self_pointer self) {
  compute_state& state = self->state;
  self->delayed_send(self, watch_interval, watch_atom::value);
  if (state.info.state != "running") return;
  state.process = running_server(pgdata(state.parameters));
  if (state.process) return;
  state.info.state = "failed";
  state.info.problem = "the server ended by itself: " + log_tail(log_of(state.parameters));
  spdlog::error("compute {}: {}", state.info.name, state.info.problem);
  tell(self);
}

}  // namespace

compute_info describe_compute(const compute_parameters& how) {
  compute_info info;
  const auto& metadata = how.metadata;
  info.name = metadata.name;
  info.branch = metadata.branch;
  info.timeline = to_string(metadata.timeline);
  info.lsn = metadata.at.value();
  info.port = metadata.port;
  info.data_directory = pgdata(how).string();
  info.mode = metadata.access == access_mode::read_only ? "read-only" : "read-write";
  if (metadata.commit == repository::commit_mode::synchronous) info.mode += ", sync";
  info.uri = "postgresql:///postgres?host=" + percent_encoded(how.socket_directory.string()) +
             "&port=" + std::to_string(metadata.port) + "&user=postgres";
  info.state = running_server(pgdata(how)) ? "running" : "stopped";
  return info;
}

compute_actor::behavior_type compute(self_pointer self, compute_parameters parameters,
                                     supervisor_actor supervisor) {
  self->state.info = describe_compute(parameters);
  self->state.parameters = std::move(parameters);
  self->state.supervisor = std::move(supervisor);
  self->delayed_send(self, watch_interval, watch_atom::value);
  return {
      [=](pg_create_atom, const start_plan_ptr& plan) -> caf::result<compute_info> {
        auto written = write_data_directory(self->state.parameters, *plan);
        if (!written) return to_caf(written.error());
        return self->state.info;
      },
      [=](pg_start_atom) { return reply(start_server(self)); },
      [=](pg_stop_atom, bool immediate) { return reply(stop_server(self, immediate)); },
      [=](flush_atom) { return reply(flush_server(self->state)); },
      [=](pg_destroy_atom) -> caf::result<std::string> {
        auto stopped = stop_server(self, /*immediate=*/true);
        if (!stopped) return to_caf(stopped.error());
        return self->state.info.name;
      },
      [=](watch_atom) { watch(self); },
  };
}

}  // namespace zenith::actors
