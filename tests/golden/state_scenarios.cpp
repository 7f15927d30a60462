// The scenarios "transactions" and "databases": what lies beside the relations' pages.
#include <fmt/format.h>

#include "tests/golden/scenarios.hpp"

namespace zenith::testing {

void run_golden_transactions(postgres_server& server) {
  sql_session session(server.conninfo());
  sql_session other(server.conninfo());
  run_each(session,
           {"create table t (i int primary key, v int)",
            "insert into t select i, 0 from generate_series(1, 40) i",
            // More subtransactions than a process keeps (ASSIGNMENT), half of them rolled back.
            "do $$ begin for n in 1..150 loop begin insert into t values (1000 + n); "
            "if n % 2 = 0 then raise exception 'back'; end if; "
            "exception when raise_exception then null; end; end loop; end $$",
            "begin; insert into t values (2000); savepoint a; insert into t values (2001); "
            "rollback to a; insert into t values (2002); commit",
            "begin; insert into t values (3000); create table gone (i int); rollback"});
  for (int i = 0; i < 4; ++i)
    session.execute(
        fmt::format("begin; create table p{0} (i int); savepoint a; insert into t values "
                    "({0} + 4000); prepare transaction 'prepared {0}'",
                    i));
  run_each(session, {"commit prepared 'prepared 0'", "rollback prepared 'prepared 1'"});
  // Every subtransaction locks one row more: as many multixacts, over a page's end.
  run_each(other, {"begin", "select count(*) from (select from t where i <= 40 for key share) l"});
  session.execute(
      "do $$ begin for n in 1..40 loop begin perform from t where i = n for key share; "
      "exception when raise_exception then null; end; end loop; end $$");
  other.execute("commit");
  run_each(session,
           {"select pg_replication_origin_create('elsewhere')",
            "select pg_replication_origin_advance('elsewhere', '0/ABCDEF0')",
            "select pg_replication_origin_create('gone')",
            "select pg_replication_origin_advance('gone', '0/1')",
            "select pg_replication_origin_drop('gone')",
            "select pg_replication_origin_session_setup('elsewhere')",
            "begin; select pg_replication_origin_xact_setup('0/BCDEF00', '2026-01-01'); "
            "update t set v = 1 where i = 1; commit",
            "select pg_replication_origin_session_reset()",
            "select pg_logical_emit_message(true, 'golden', 'in a transaction')",
            "select pg_logical_emit_message(false, 'golden', 'in none')", "select lo_create(0)",
            "checkpoint", "create table l (i int)", "begin; lock table l; select 1; commit",
            "do $$ begin for n in 1..200 loop perform txid_current(); commit; end loop; end $$"});
  server.stop();
  server.start();
  // Both segments that hold the oldest transactions and multixacts lie behind: they are removed.
  // Two prepared transactions would keep them.
  for (const auto* prepared : {"prepared 2", "prepared 3"})
    server.execute(fmt::format("commit prepared '{}'", prepared));
  server.execute("update pg_database set datallowconn = true");
  for (const auto* database : {"template0", "template1", "postgres"}) {
    sql_session in(server.conninfo(database));
    run_each(in, {"set vacuum_multixact_freeze_min_age = 0", "vacuum (freeze)"});
  }
  server.execute("begin; update t set v = 2; prepare transaction 'alive at the end'");
}

void run_golden_databases(postgres_server& server) {
  server.execute("create tablespace one location ''");
  server.execute("create tablespace two location ''");
  server.execute("create database logged strategy wal_log");
  {
    sql_session session(server.conninfo("logged"));
    run_each(session,
             {"create table t as select generate_series(1, 700) as i", "create index on t (i)",
              "create unlogged table u (i int primary key)", "insert into u values (1)",
              "create table away (i int) tablespace two", "insert into away values (1)",
              "vacuum full pg_class", "vacuum t", "delete from t where i > 100", "vacuum t",
              "checkpoint", "insert into t select generate_series(1000, 1500)",
              "begin; create table never (i int); insert into never values (1); rollback",
              "truncate away", "alter table t set tablespace two"});
  }
  server.execute("vacuum full pg_database");
  server.execute("create database copied template logged strategy file_copy");
  server.execute("create database elsewhere template logged tablespace one strategy file_copy");
  server.execute("alter database copied set tablespace one");
  {
    sql_session session(server.conninfo("elsewhere"));
    run_each(session, {"update t set i = i + 1 where i < 50", "insert into u values (5)",
                       "alter table u set logged", "alter table u set unlogged", "vacuum t"});
  }
  server.execute("drop database copied");
  server.execute("create tablespace three location ''");
  server.execute("drop tablespace three");
}

}  // namespace zenith::testing
