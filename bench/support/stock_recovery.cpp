// Starting a copy of the crashed server, and reading what it logs about its recovery.
#include "bench/support/stock_recovery.hpp"

#include <stdexcept>

#include "tests/support/postgres_server.hpp"

namespace zenith::bench {
namespace {

/// "redo done at 0/1 system usage: CPU: user: 1.23 s, system: 0.45 s, elapsed: 1.70 s".
double seconds_after(const std::string& log, const std::string& word) {
  const auto done = log.rfind("redo done at");
  const auto at = done == std::string::npos ? done : log.find(word, done);
  if (at == std::string::npos) throw std::runtime_error("the server did no recovery:\n" + log);
  return std::stod(log.substr(at + word.size()));
}

}  // namespace

recovery_cost recover(const pgbench_wal& wal) {
  const testing::temporary_directory directory;
  const auto data = directory / "data";
  std::filesystem::copy(wal.crashed, data, std::filesystem::copy_options::recursive);
  testing::postgres_server server(directory, data);
  server.start();
  const std::string log = server.log();
  server.kill();
  return {seconds_after(log, "elapsed: "),
          seconds_after(log, "user: ") + seconds_after(log, "system: ")};
}

}  // namespace zenith::bench
