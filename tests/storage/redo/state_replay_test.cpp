// State rebuilt from a real server's WAL must be what the server has on disk after a clean stop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/storage/redo/observed_server.hpp"

namespace zenith::testing {
namespace {

TEST(state_replay, a_server_that_does_nothing_leaves_its_state) {
  observed_server observed;
  observed.server().start();
  observed.stop_and_replay();
}

TEST(state_replay, transactions_leave_the_statuses_and_timestamps_that_the_server_has) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int)");
  // More subtransactions than a page of pg_xact has, half of them rolled back.
  server.execute(R"(DO $$ BEGIN
    FOR i IN 1..34000 LOOP
      BEGIN
        INSERT INTO t VALUES (i);
        IF i % 2 = 0 THEN RAISE EXCEPTION 'back'; END IF;
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
    END LOOP; END $$)");
  server.execute(
      "DO $$ BEGIN FOR i IN 1..500 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$");
  server.execute("CHECKPOINT");
  for (const char* end : {"COMMIT", "ROLLBACK"})
    server.execute(
        fmt::format("BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; INSERT INTO t VALUES "
                    "(2); {}",
                    end));
  // Prepared: one is committed, one rolled back, two stay.
  for (int i = 0; i < 4; ++i)
    server.execute(
        fmt::format("BEGIN; CREATE TABLE p{0} (i int); SAVEPOINT a; INSERT INTO t VALUES "
                    "({0}); PREPARE TRANSACTION 'prepared {0}'",
                    i));
  server.execute("COMMIT PREPARED 'prepared 0'");
  server.execute("ROLLBACK PREPARED 'prepared 1'");
  // Left open when the server stops.
  sql_session open(server.conninfo());
  open.execute("BEGIN; INSERT INTO t VALUES (3)");
  observed.stop_and_replay();
  EXPECT_GE(observed.sink().counts().transaction_ends, 500u);
  size_t prepared = 0;
  for (const auto& [k, value] : observed.files().values) prepared += k.kind == key_kind::two_phase;
  EXPECT_EQ(prepared, 2u);
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::xact, 1)));
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::commit_ts, 40)));
}

TEST(state_replay, commit_timestamps_can_be_switched_on_and_off) {
  observed_server observed;
  auto& server = observed.server();
  for (const char* setting : {"on", "off", "on"}) {
    server.start({"-c", fmt::format("track_commit_timestamp={}", setting)});
    server.execute("CREATE TABLE t (i int); DROP TABLE t");
    server.stop();
  }
  observed.stop_and_replay();
}

TEST(state_replay, multixacts_leave_the_offsets_and_members_that_the_server_has) {
  observed_server observed;
  auto& server = observed.server();
  server.start();
  server.execute(
      "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 6000)");
  sql_session other(server.conninfo());
  other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
  // Every subtransaction locks one row more: as many multixacts, each of two.
  server.execute(R"(DO $$ BEGIN
    FOR n IN 1..5000 LOOP
      BEGIN
        PERFORM FROM t WHERE i = n FOR KEY SHARE;
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
    END LOOP; END $$)");
  other.execute("COMMIT");
  observed.stop_and_replay();
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::multixact_offsets, 2)));
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::multixact_members, 6)));
}

TEST(state_replay, truncated_slrus_lose_the_segments_that_the_server_removes) {
  observed_server observed("track_commit_timestamp=on\nsynchronous_commit=off\n");
  auto& server = observed.server();
  server.start();
  // More transaction ids than a segment of pg_xact has, more multixacts than one of the offsets.
  for (int i = 0; i < 11; ++i)
    server.execute(R"(DO $$ BEGIN
      FOR n IN 1..100000 LOOP
        BEGIN
          PERFORM pg_logical_emit_message(true, '', '');
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)");
  server.execute("CREATE TABLE t (i int PRIMARY KEY)");
  server.execute("INSERT INTO t SELECT generate_series(1, 70000)");
  {
    sql_session other(server.conninfo());
    other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
    server.execute(R"(DO $$ BEGIN
      FOR n IN 1..70000 LOOP
        BEGIN
          PERFORM FROM t WHERE i = n FOR KEY SHARE;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)");
  }
  server.execute("UPDATE pg_database SET datallowconn = true");
  for (const char* database : {"template0", "template1", "postgres"}) {
    sql_session session(server.conninfo(database));
    session.execute("SET vacuum_multixact_freeze_min_age = 0");
    session.execute("VACUUM (FREEZE)");
  }
  observed.stop_and_replay();
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::xact, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::commit_ts, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::multixact_offsets, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::multixact_members, 0)));
}

TEST(state_replay, databases_tablespaces_and_maps_are_those_of_the_server) {
  observed_server observed;
  observed.expect_map_pages(observed_server::map_pages::fewer_bits);
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLESPACE one LOCATION ''");
  server.execute("CREATE TABLESPACE two LOCATION ''");
  server.execute("CREATE DATABASE logged STRATEGY wal_log");
  {
    sql_session session(server.conninfo("logged"));
    session.execute(
        "CREATE TABLE t AS SELECT generate_series(1, 10000) AS i; CREATE INDEX ON t (i);"
        "CREATE UNLOGGED TABLE u (i int); CREATE TABLE away (i int) TABLESPACE two;"
        "INSERT INTO away VALUES (1)");
    session.execute("VACUUM FULL pg_class");  // its relation map
    session.execute("VACUUM t");
  }
  server.execute("VACUUM FULL pg_database");  // the global one
  server.execute("CREATE DATABASE copied TEMPLATE logged STRATEGY file_copy");
  server.execute("CREATE DATABASE elsewhere TEMPLATE logged TABLESPACE one STRATEGY file_copy");
  server.execute("CREATE DATABASE dropped TEMPLATE copied STRATEGY wal_log TABLESPACE one");
  server.execute("ALTER DATABASE copied SET TABLESPACE one");
  server.execute("DROP DATABASE dropped");
  server.execute("CREATE TABLESPACE three LOCATION ''");
  server.execute("DROP TABLESPACE three");
  observed.stop_and_replay();
}

/// Without checksums no image of a map page is logged when it is truncated.
class relations_replay : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(checksums, relations_replay, ::testing::Bool());

TEST_P(relations_replay, relations_have_the_forks_and_sizes_that_the_server_has) {
  observed_server observed(
      "", GetParam() ? std::vector<std::string>{"-k"} : std::vector<std::string>{});
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int, filler char(500) default 'x')");
  server.execute("INSERT INTO t SELECT generate_series(1, 30000)");
  server.execute("VACUUM t");
  // Cuts the main fork and clears the tails of its maps.
  server.execute("DELETE FROM t WHERE i > 3000");
  server.execute("VACUUM t");
  EXPECT_LT(std::stoi(server.value("SELECT pg_relation_size('t') / 8192")), 300);
  server.execute("INSERT INTO t SELECT generate_series(1, 5000)");
  server.execute(
      "BEGIN; CREATE TABLE twice (i int); INSERT INTO twice VALUES (1); TRUNCATE twice;"
      "INSERT INTO twice VALUES (2); COMMIT");
  server.execute("CREATE TABLE emptied AS SELECT generate_series(1, 1000) AS i; TRUNCATE emptied");
  server.execute(
      "CREATE TABLE gone (i serial PRIMARY KEY, b text); INSERT INTO gone (b) VALUES ('a');"
      "DROP TABLE gone");
  server.execute("BEGIN; CREATE TABLE never AS SELECT generate_series(1, 1000) AS i; ROLLBACK");
  server.execute("CREATE SEQUENCE s; SELECT nextval('s') FROM generate_series(1, 100)");
  server.execute("SELECT lo_create(0) FROM generate_series(1, 100)");
  server.execute("SELECT lo_from_bytea(0, decode(repeat('ab', 100000), 'hex'))");
  server.execute("CREATE UNLOGGED TABLE u (i int PRIMARY KEY); INSERT INTO u VALUES (1)");
  server.execute(
      "CREATE INDEX ON t USING hash (i); CREATE INDEX ON t USING brin (i);"
      "CREATE INDEX ON t USING gin ((array[i])); CREATE INDEX ON t USING gist (point(i, i));"
      "CREATE INDEX ON t USING spgist (point(i, i))");
  server.execute("INSERT INTO t SELECT generate_series(1, 5000)");
  server.execute("CHECKPOINT; DROP TABLE emptied");
  observed.stop_and_replay();
}

TEST(state_replay, replication_origins_advance_as_the_server_s_do) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int)");
  for (const char* name : {"a", "b", "c"})
    server.execute(fmt::format("SELECT pg_replication_origin_create('{}')", name));
  server.execute("SELECT pg_replication_origin_advance('a', '0/1234')");
  server.execute("SELECT pg_replication_origin_advance('c', '0/99')");
  server.execute("SELECT pg_replication_origin_session_setup('b')");
  server.execute(
      "BEGIN; SELECT pg_replication_origin_xact_setup('5/6000', '2001-02-03'); INSERT INTO t "
      "VALUES (1); COMMIT");
  server.execute(
      "BEGIN; SELECT pg_replication_origin_xact_setup('5/5000', '2002-02-03'); INSERT INTO t "
      "VALUES (1); SAVEPOINT a; INSERT INTO t VALUES (2); COMMIT");
  server.execute("SELECT pg_replication_origin_session_reset()");
  server.execute("SELECT pg_replication_origin_drop('c')");
  observed.stop_and_replay();
  EXPECT_EQ(observed.sink().number(key::replication_origin(2)), 0x500006000u);
}

TEST(state_replay, a_crash_and_its_recovery_leave_the_state_that_the_server_has) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 1000)");
  server.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'kept'");
  {
    sql_session open(server.conninfo());
    open.execute("BEGIN; INSERT INTO t VALUES (3); SAVEPOINT a; INSERT INTO t VALUES (4)");
    server.execute("INSERT INTO t VALUES (5)");
    server.kill();
  }
  server.start();
  server.execute("INSERT INTO t VALUES (6)");
  observed.stop_and_replay();
}

}  // namespace
}  // namespace zenith::testing
