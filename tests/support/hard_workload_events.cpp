// hard_workload: what a server logs when it is backed up, reconfigured, torn, worn out, promoted.
#include <algorithm>
#include <fstream>

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "tests/support/hard_workload_parts.hpp"
#include "tests/support/recovered_cluster.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

/// They keep the oldest transaction id, and with it pg_xact, from moving on.
void end_prepared_transactions(postgres_server& server) {
  for (const auto& row : server.rows("select database, gid from pg_prepared_xacts"))
    sql_session(server.conninfo(row[0])).execute(fmt::format("commit prepared '{}'", row[1]));
}

/// PARAMETER_CHANGE, and FPW_CHANGE there and back.
void change_parameters(postgres_server& server) {
  server.stop();
  server.start({"-c", "max_locks_per_transaction=70"});
  const bool on = server.value("show full_page_writes") == "on";
  for (const char* value : {on ? "off" : "on", on ? "on" : "off"}) {
    server.execute(fmt::format("alter system set full_page_writes = {}", value));
    server.execute("select pg_reload_conf()");
    const auto wanted = value == std::string("on") ? "t" : "f";
    const bool changed = wait_until([&] {
      server.execute("checkpoint");
      return server.value("select full_page_writes from pg_control_checkpoint()") == wanted;
    });
    if (!changed) throw std::runtime_error("the server goes on with other full_page_writes");
  }
  server.execute("alter system reset full_page_writes");
}

/// More than a segment of pg_xact has of transaction ids (1048576), and more than one of
/// pg_multixact/offsets has of multixacts (65536): nearly all without a record of their own.
void burn_ids(postgres_server& server) {
  sql_session a(server.conninfo()), b(server.conninfo());
  a.execute("create temp table burn () on commit delete rows");
  for (int round = 0; round < 11; ++round)
    a.execute(
        "do $$ begin for i in 1..100000 loop begin insert into burn default values; "
        "exception when raise_exception then null; end; end loop; end $$");
  constexpr int rows = 5000;
  run_each(a, {"drop table burn", "create unlogged table shared (id int primary key)",
               fmt::format("insert into shared select generate_series(1, {})", rows)});
  for (int locked = 0; locked < 70000; locked += rows) {
    b.execute("begin; select count(*) from (select from shared for key share) as locked");
    a.execute(fmt::format(
        "do $$ begin for n in 1..{} loop begin perform from shared where id = n for key share; "
        "exception when raise_exception then null; end; end loop; end $$",
        rows));
    b.execute("commit");
  }
  a.execute("drop table shared");
}

/// Moves every database past what was burned, after which the server cuts its logs of it.
void forget_old_ids(postgres_server& server) {
  server.execute("update pg_database set datallowconn = true where datname = 'template0'");
  for (const auto& row : server.rows("select datname from pg_database order by 1")) {
    sql_session session(server.conninfo(row[0]));
    run_each(session, {"set vacuum_multixact_freeze_min_age = 0", "vacuum (freeze)"});
  }
  server.execute("update pg_database set datallowconn = false where datname = 'template0'");
}

/// A crash that leaves the beginning of a record: OVERWRITE_CONTRECORD takes the place of the rest.
void tear_record(postgres_server& server) {
  server.execute("select pg_switch_wal()");
  const auto begin = parse_lsn(server.value("select pg_current_wal_insert_lsn()"));
  if (!begin) throw std::runtime_error(begin.error().message);
  server.execute("begin; select pg_logical_emit_message(true, 'torn', repeat('t', 60000)); commit");
  const lsn cut{(begin->value() + 20000) / page_size_bytes * page_size_bytes};
  const auto segment = server.data() / "pg_wal" /
                       server.value(fmt::format("select pg_walfile_name('{}')", to_string(cut)));
  const auto size =
      std::stoull(server.value("select setting from pg_settings where name = 'wal_segment_size'"));
  server.kill();
  std::fstream file(segment, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(cut.value() % size));
  const std::vector<char> nothing(size - cut.value() % size);
  file.write(nothing.data(), static_cast<std::streamsize>(nothing.size()));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + segment.string());
  server.start();
}

/// The server goes on as a standby of nobody, and is promoted: END_OF_RECOVERY, pg_timeline 2.
void promote(postgres_server& server) {
  server.stop();
  const auto signal = server.data() / "standby.signal";
  std::ofstream(signal).flush();
  give_to_database_user(signal);
  server.start();
  if (server.value("select pg_promote()") != "t")
    throw std::runtime_error("the server was not promoted:\n" + server.log());
  run_each(server.session(),
           {"create table after_promotion as select i, md5(i::text) as v "
            "from generate_series(1, 300) i",
            "create index on after_promotion (v)", "checkpoint",
            "delete from after_promotion where i % 3 = 0", "vacuum after_promotion"});
}

}  // namespace

void run_server_events(postgres_server& server, const hard_workload_options& options) {
  end_prepared_transactions(server);
  change_parameters(server);
  const auto backup = server.data().parent_path() / "backup_of_events";
  take_base_backup(server.conninfo(), backup);
  fs::remove_all(backup);
  // The one kind of database creation that logs megabytes, and so is none of the tiny shapes.
  if (options.size == workload_size::tiny)
    server.execute("create database events_logged strategy wal_log");
  burn_ids(server);
  forget_old_ids(server);
  tear_record(server);
  promote(server);
}

}  // namespace zenith::testing
