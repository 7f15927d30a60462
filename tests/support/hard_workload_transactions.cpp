// hard_workload: transactions of all kinds, and the records that belong to no relation.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

/// Subtransactions by the hundred: more than a backend tells others of (64), some rolled back,
/// some in each other, with and without rows.
void use_subtransactions(workload_run& run, sql_session& session) {
  session.execute("create table subs (id int, depth int)");
  session.execute(
      fmt::format("do $$ begin for i in 1..{} loop begin insert into subs values (i, 1); "
                  "if i % 3 = 0 then raise exception 'no'; end if; "
                  "exception when others then null; end; end loop; end $$",
                  run.tiny() ? 140 : run.number(200, 600)));
  for (const auto* end : {"commit", "rollback"}) {
    session.execute("begin");
    const int depth = run.tiny() ? 70 : run.number(70, 150);
    for (int level = 1; level <= depth; ++level)
      run_each(session, {fmt::format("savepoint level_{}", level),
                         fmt::format("insert into subs values (0, {})", level)});
    run_each(session, {fmt::format("rollback to level_{}", run.number(40, 60)),
                       "insert into subs values (1, 1)",
                       fmt::format("release level_{}", run.number(10, 30)), end});
  }
}

/// Transaction ids by the thousand, with next to no WAL: over pages of pg_commit_ts (819) and,
/// where there is time, of pg_xact (32768).
void burn_transaction_ids(workload_run& run, sql_session& session) {
  run_each(session, {"create temp table burn () on commit delete rows",
                     fmt::format("do $$ begin for i in 1..{} loop begin "
                                 "insert into burn default values; "
                                 "exception when raise_exception then null; end; end loop; end $$",
                                 run.tiny() ? 900 : run.number(33000, 36000)),
                     "drop table burn"});
}

/// What replication writes and asks for; origins that advance, and one that is dropped.
void replicate(sql_session& session) {
  run_each(
      session,
      {"create table replicated (id int primary key, v text)",
       "alter table replicated replica identity full",
       "select pg_replication_origin_create(n) from unnest('{upstream,other,gone}'::text[]) n",
       "select pg_replication_origin_advance('other', '0/1234')",
       "select pg_replication_origin_advance('gone', '0/99')",
       "select pg_replication_origin_session_setup('upstream')",
       "begin; select pg_replication_origin_xact_setup('5/6000', '2001-02-03'); "
       "insert into replicated values (1, 'from upstream'); commit",
       "begin; select pg_replication_origin_xact_setup('5/7000', '2002-02-03'); "
       "insert into replicated values (2, 'x'); savepoint s; "
       "update replicated set v = 'y'; rollback to s; delete from replicated where id = 1; commit",
       "select pg_replication_origin_session_reset()", "select pg_replication_origin_drop('gone')",
       "select pg_logical_emit_message(false, 'prefix', 'alone')",
       "begin; select pg_logical_emit_message(true, 'prefix', repeat('in a transaction', 100)); "
       "commit",
       "create publication published for table replicated"});
}

/// Records that stand for themselves: a restore point, the end of a backup, the end of a segment.
void write_marks(sql_session& session) {
  run_each(session,
           {"select pg_create_restore_point('a point')", "select pg_backup_start('a backup', true)",
            "select pg_backup_stop(false)", "checkpoint"});
}

/// Catalogs that are written anew while a logical slot follows them, with rows of an open
/// transaction in them; and the maps of what has no fixed file.
void rewrite_catalogs(workload_run& run, sql_session& session) {
  run_each(session,
           {fmt::format("select pg_create_logical_replication_slot('hard', 'test_decoding')"),
            "create schema of_short_life; drop schema of_short_life",
            "begin; create table seen_by_its_maker (id int primary key); "
            "insert into seen_by_its_maker values (1); alter table seen_by_its_maker add v int; "
            "commit",
            "vacuum full pg_namespace", "vacuum full pg_tablespace",
            "reindex index pg_class_oid_index"});
  if (!run.tiny())
    run_each(session, {"vacuum full pg_class", "vacuum full pg_authid", "analyze", "vacuum"});
  session.execute("select pg_drop_replication_slot('hard')");
}

}  // namespace

void work_on_transactions(workload_run& run) {
  workload_session session(run.host.conninfo(hard_database), "transactions");
  use_subtransactions(run, session);
  burn_transaction_ids(run, session);
  replicate(session);
  rewrite_catalogs(run, session);
  write_marks(session);
}

}  // namespace zenith::testing
