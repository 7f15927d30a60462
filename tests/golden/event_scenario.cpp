// The scenario "events": a crash that tears a record, a promotion, and what else a server logs.
#include <fstream>
#include <stdexcept>

#include "storage/postgres/wal_page.hpp"
#include "tests/golden/scenarios.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

lsn insert_position(postgres_server& server) {
  const auto at = parse_lsn(server.value("select pg_current_wal_insert_lsn()"));
  if (!at) throw std::runtime_error(at.error().message);
  return *at;
}

/// The checkpointer logs the change once it has heard of it.
void await_full_page_writes(postgres_server& server, const std::string& expected) {
  server.execute("select pg_reload_conf()");
  const bool changed = wait_until([&] {
    server.execute("checkpoint");
    return server.value("select full_page_writes from pg_control_checkpoint()") == expected;
  });
  if (!changed) throw std::runtime_error("full_page_writes does not become " + expected);
}

/// The end of the page in which a record of several pages begins is the last that reached the disk.
/// The server starts again after it, and says so in an OVERWRITE_CONTRECORD.
void tear_record(postgres_server& server) {
  const auto segment_bytes = static_cast<uint32_t>(
      std::stoul(server.value("select setting from pg_settings where name = 'wal_segment_size'")));
  const lsn before = insert_position(server);
  server.execute("select pg_logical_emit_message(false, 'golden', repeat('torn', 5000))");
  server.execute("select txid_current()");
  server.kill();
  const uint64_t last = before.value() / segment_bytes;
  const uint64_t kept = pg::wal_page_start(before).value() + page_size_bytes - last * segment_bytes;
  std::vector<fs::path> later;
  for (const auto& entry : fs::directory_iterator(server.data() / "pg_wal")) {
    const auto name = pg::parse_segment_file_name(entry.path().filename().string(), segment_bytes);
    if (!name || name->number < last) continue;
    if (name->number > last) {
      later.push_back(entry.path());
    } else {
      fs::resize_file(entry.path(), kept);
      fs::resize_file(entry.path(), segment_bytes);
    }
  }
  for (const auto& file : later) fs::remove(file);
  server.start();
}

}  // namespace

void run_golden_events(postgres_server& server) {
  run_each(
      server.session(),
      {"create table t (i int primary key, v text)",
       "insert into t select i, repeat('x', i) from generate_series(1, 300) i", "checkpoint",
       // Hint bits, on pages that nothing has touched since.
       "select count(*) from t", "create unlogged table u (i int primary key)",
       "insert into u select generate_series(1, 10)", "select pg_create_restore_point('a point')",
       "select pg_backup_start('golden', true)", "update t set v = v || 'y' where i % 2 = 0",
       "select pg_backup_stop(false)", "select pg_switch_wal()", "set wal_compression = pglz",
       "create index on t (v)", "alter system set full_page_writes = off"});
  await_full_page_writes(server, "f");
  run_each(server.session(),
           {"delete from t where i % 3 = 0", "alter system reset full_page_writes"});
  await_full_page_writes(server, "t");
  run_each(server.session(), {"vacuum t", "reset wal_compression"});
  server.kill();
  server.start();
  server.execute("insert into t select i, 'recovered' from generate_series(1000, 1100) i");
  tear_record(server);
  run_each(server.session(), {"insert into t select i, 'torn' from generate_series(2000, 2100) i",
                              "begin; update t set v = 'p' where i < 9; prepare transaction 'p'",
                              "alter system set max_worker_processes = 9"});
  server.stop();
  std::ofstream{server.data() / "standby.signal"};
  give_to_database_user(server.data() / "standby.signal");
  server.start();
  server.execute("select pg_promote()");
  run_each(server.session(),
           {"insert into t select i, 'promoted' from generate_series(3000, 3100) i", "checkpoint",
            "commit prepared 'p'", "update t set v = v || 'z'"});
}

}  // namespace zenith::testing
