// Redo of a pgbench run's WAL, each page in memory, against PostgreSQL's recovery of the same WAL.
#include <fmt/format.h>

#include <cstdio>

#include "bench/support/figures.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/wal_replay.hpp"

namespace zenith::bench {
namespace {

using testing::pg_program;
using testing::postgres_server;
using testing::run_ok;

/// "redo done at 0/1 system usage: ... elapsed: 1.23 s": the seconds.
double elapsed_s(const std::string& log) {
  const auto done = log.rfind("redo done at");
  const auto at = done == std::string::npos ? done : log.find("elapsed: ", done);
  if (at == std::string::npos) throw std::runtime_error("the server did no recovery:\n" + log);
  return std::stod(log.substr(at + 9));
}

void compare_with_recovery(const std::string& transactions) {
  const testing::temporary_directory directory;
  postgres_server server(directory, {.configuration = "wal_level = replica\n"
                                                      "full_page_writes = off\n"
                                                      "autovacuum = off\n"
                                                      "checkpoint_timeout = 1h\n"
                                                      "max_wal_size = 64GB\n"
                                                      "shared_buffers = 1GB\n"});
  const auto base = directory / "base";
  std::filesystem::create_directory(base);
  for (const auto* folder : {"base", "global"})
    std::filesystem::copy(server.data() / folder, base / folder,
                          std::filesystem::copy_options::recursive);
  server.start();
  // initdb's last checkpoint, from which recovery starts as well.
  const auto start = parse_lsn(server.value("select redo_lsn from pg_control_checkpoint()"));
  run_ok({pg_program("pgbench"), "-h", server.socket_directory().string(), "-U", "postgres", "-i",
          "-s", "5", "-q", "postgres"});
  run_ok({pg_program("pgbench"), "-h", server.socket_directory().string(), "-U", "postgres", "-n",
          "-c", "2", "-t", transactions, "postgres"});
  const auto until = parse_lsn(server.value("select pg_current_wal_flush_lsn()"));
  server.kill();
  if (!start || !until) throw std::runtime_error("the server gave no LSN");

  const stopwatch watch;
  const auto report = testing::replay_wal(
      {.wal = server.data() / "pg_wal", .start = *start, .until = *until, .base = base});
  const double ours_s = watch.seconds();
  if (report.problem_count > 0) throw std::runtime_error(report.text());
  server.start();
  const double stock_s = elapsed_s(server.log());
  fmt::print(
      "{} records of pgbench: {:.2f} s here, {:.2f} s in PostgreSQL's recovery, ratio "
      "{:.2f} ({:.0f} and {:.0f} records/ms)\n",
      report.records, ours_s, stock_s, ours_s / stock_s,
      static_cast<double>(report.records) / ours_s / 1e3,
      static_cast<double>(report.records) / stock_s / 1e3);
}

}  // namespace
}  // namespace zenith::bench

int main(int argc, char** argv) {
  try {
    fmt::print("{}\n", zenith::bench::conditions());
    zenith::bench::compare_with_recovery(argc > 1 ? argv[1] : "30000");
    return 0;
  } catch (const std::exception& failure) {
    fmt::print(stderr, "bench_replay: {}\n", failure.what());
    return 1;
  }
}
