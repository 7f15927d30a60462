// Moving a server's counters near 2^32, and past it.
#include "tests/support/last_numbers.hpp"

#include <fmt/format.h>

#include "storage/base/bytes.hpp"

namespace zenith::testing {
namespace {

/// A segment of zeros: what stands there of the ids before the next one.
void make_segment(const postgres_server& server, const char* folder, uint32_t page_number) {
  const auto name = server.data() / folder / fmt::format("{:04X}", page_number / 32);
  run_ok({"truncate", "-s", std::to_string(32 * page_size_bytes), name.string()});
}

/// Runs a statement in as many subtransactions.
void in_subtransactions(postgres_server& server, const char* statement, int count) {
  server.execute(fmt::format(R"(DO $$ BEGIN
    FOR n IN 1..{} LOOP
      BEGIN
        {};
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
    END LOOP; END $$)",
                             count, statement));
}

}  // namespace

void use_up_numbers(postgres_server& server) {
  server.start();
  server.execute("CREATE TABLE t (i int PRIMARY KEY)");
  server.execute("INSERT INTO t SELECT generate_series(1, 4000)");
  server.execute("UPDATE pg_database SET datallowconn = true");
  freeze_everything(server);
  server.stop();
  run_ok({pg_program("pg_resetwal"), "-x", std::to_string(first_xid), "-u",
          std::to_string(first_xid), "-e", "4", "-m",
          fmt::format("{},{}", first_multixact, first_multixact), "-O",
          std::to_string(first_member), "-D", server.data().string()});
  make_segment(server, "pg_xact", first_xid / 32768);
  make_segment(server, "pg_multixact/offsets", first_multixact / 2048);
  make_segment(server, "pg_multixact/members", first_member / 1636);
  // What the tables say of their oldest ids comes from before.
  server.start();
  freeze_everything(server);
  server.stop();
}

void take_transaction_ids(postgres_server& server, int count) {
  in_subtransactions(server, "PERFORM pg_logical_emit_message(true, '', '')", count);
}

void take_multixacts(postgres_server& server, int count) {
  sql_session other(server.conninfo());
  other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
  in_subtransactions(server, "PERFORM FROM t WHERE i = n FOR KEY SHARE", count);
}

void freeze_everything(postgres_server& server) {
  for (const char* database : {"template0", "template1", "postgres"}) {
    sql_session session(server.conninfo(database));
    session.execute("SET vacuum_multixact_freeze_min_age = 0");
    session.execute("VACUUM (FREEZE)");
  }
}

}  // namespace zenith::testing
