// hard_workload: databases and tablespaces that are made, moved and dropped.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

/// Tables and indexes that move between tablespaces of one database.
void move_relations(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 20 : run.number(1000, 3000);
  run_each(session,
           {"create table moved (id int primary key using index tablespace hard_one, v text)",
            fmt::format("insert into moved select i, repeat(md5(i::text), i % 9) "
                        "from generate_series(1, {}) i",
                        rows),
            "vacuum moved", "alter table moved set tablespace hard_two",
            "alter index moved_pkey set tablespace hard_two",
            "create unlogged table moved_unlogged (id int primary key) tablespace hard_one",
            "insert into moved_unlogged select generate_series(1, 100)",
            "alter table moved_unlogged set tablespace hard_two",
            "create materialized view moved_view tablespace hard_one as select id from moved",
            "alter table moved set tablespace pg_default", "delete from moved where id % 3 = 0",
            "create table far (id int) tablespace hard_two",
            "insert into far select generate_series(1, 100)"});
}

/// Both ways to make a database, from a template that has something of everything.
void make_databases(workload_run& run, sql_session& session) {
  if (!run.tiny()) {
    run_each(session, {"create database hard_logged template hard_template strategy wal_log",
                       "create database hard_elsewhere template hard_template tablespace hard_one "
                       "strategy file_copy"});
  }
  run_each(session, {"create database hard_copied template hard_template strategy file_copy",
                     "alter database hard_copied set tablespace hard_two"});
}

}  // namespace

void work_on_databases(workload_run& run) {
  sql_session session(run.host.conninfo());
  run_each(session,
           {"create tablespace hard_one location ''", "create tablespace hard_two location ''",
            "create tablespace hard_gone location ''", "drop tablespace hard_gone",
            "create database hard_template strategy file_copy"});
  {
    workload_session in_template(run.host.conninfo("hard_template"), "here");
    run_each(in_template,
             {"create table t as select i, md5(i::text) as v from generate_series(1, 300) i",
              "create index on t (i)", "create index on t using hash (v)",
              "create unlogged table u (i int primary key)", "insert into u values (1)", "vacuum t",
              "vacuum full pg_type"});
  }
  make_databases(run, session);
  for (const char* database : {"hard_copied", "hard_elsewhere", "hard_logged"}) {
    if (run.tiny() && database != std::string("hard_copied")) continue;
    workload_session in_copy(run.host.conninfo(database), "here");
    run_each(in_copy, {"update t set v = 'changed' where i % 5 = 0", "insert into u values (2)",
                       "create table own (id serial primary key)", "insert into own default values",
                       "vacuum t"});
  }
  {
    workload_session in_hard(run.host.conninfo(hard_database), "places");
    move_relations(run, in_hard);
  }
  session.execute("drop database hard_template");
  if (!run.tiny())
    run_each(session, {"alter database hard_elsewhere set tablespace pg_default",
                       "drop database hard_logged", "create role hard_user",
                       "alter role hard_user set work_mem = '1MB'"});
}

}  // namespace zenith::testing
