// hard_workload: sizes of relations, rewrites, and the kinds of relations that there are.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

/// Vacuum gives the empty end of a table back, in which its maps have bits; it grows again, and is
/// emptied in the transaction that filled it, and in one that is rolled back.
void cut_and_grow(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 300 : run.number(8000, 12000);
  const int kept = rows / run.number(5, 20);
  run_each(session,
           {"create table cut (i int, filler char(500) default 'x')",
            fmt::format("insert into cut select generate_series(1, {})", rows), "vacuum cut",
            fmt::format("delete from cut where i > {}", kept), "vacuum cut",
            fmt::format("insert into cut select generate_series(1, {})", rows / 4), "vacuum cut",
            "begin; create table twice (i int); insert into twice values (1); truncate twice; "
            "insert into twice values (2); commit",
            "begin; truncate cut; insert into cut values (1); rollback",
            fmt::format("create table emptied as select generate_series(1, {}) as i", rows / 4),
            "create index on emptied (i)", "truncate emptied",
            fmt::format("insert into emptied select generate_series(1, {})", rows / 8),
            "create table gone (i serial primary key, b text)",
            "insert into gone (b) values (repeat('a', 100000))", "drop table gone",
            "begin; create table never as select * from cut; rollback"});
}

/// Rows that are wider than a page goes into, compressed and not, changed in part and as a whole.
void toast(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 4 : run.number(60, 100);
  run_each(session,
           {"create table wide_rows (id int primary key, a text, b text, c text compression pglz, "
            "d text compression lz4)",
            "alter table wide_rows alter a set storage external",
            fmt::format("insert into wide_rows select i, repeat(md5(i::text), 90 + i), "
                        "(select string_agg(md5((i * j)::text), '') from generate_series(1, 80) "
                        "j), repeat('c', 5000 + i), repeat(md5(i::text), 300) "
                        "from generate_series(1, {}) i",
                        rows),
            "update wide_rows set id = id + 1000 where id % 2 = 0",
            "update wide_rows set a = a || 'x' where id % 3 = 0",
            "delete from wide_rows where id % 4 = 0", "vacuum wide_rows",
            "alter table wide_rows drop column c",
            "alter table wide_rows alter d type char(20) "
            "using left(d, 20)"});
}

/// Tables that are written anew, and their indexes.
void rewrite(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 50 : run.number(1500, 2500);
  run_each(
      session,
      {"create table rewritten (id int, n int, t text) with (fillfactor = 80)",
       fmt::format("insert into rewritten select i, i % 50, md5(i::text) "
                   "from generate_series(1, {}) i order by md5(i::text)",
                   rows),
       "create index rewritten_id on rewritten (id) with (fillfactor = 50)",
       "create index rewritten_hash on rewritten using hash (t)",
       "update rewritten set n = n + 1 where id % 3 = 0", "cluster rewritten using rewritten_id",
       "delete from rewritten where id % 5 = 0", "vacuum full rewritten",
       "alter table rewritten alter n type bigint", "alter table rewritten add x int default 7",
       "alter table rewritten add y float default random()",
       "create index concurrently rewritten_n on rewritten (n, id)", "reindex table rewritten",
       "reindex index concurrently rewritten_id", "reindex table concurrently rewritten",
       "alter table rewritten set unlogged", "update rewritten set n = n - 1",
       "alter table rewritten set logged", "drop index concurrently rewritten_hash"});
}

/// Partitions that rows move between, that come and go; inheritance of nothing else.
void partition(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 30 : run.number(600, 1200);
  run_each(session,
           {"create table parted (k int, v text) partition by range (k)",
            "create table parted_low partition of parted for values from (0) to (100)",
            "create table parted_high partition of parted for values from (100) to (200) "
            "partition by hash (v)",
            "create table parted_high_0 partition of parted_high for values with (modulus 2, "
            "remainder 0)",
            "create table parted_high_1 partition of parted_high for values with (modulus 2, "
            "remainder 1)",
            "create table parted_rest partition of parted default", "create index on parted (k)",
            fmt::format("insert into parted select i % 250, md5(i::text) "
                        "from generate_series(1, {}) i",
                        rows),
            "update parted set k = (k + 60) % 250 where k % 3 = 0",
            "alter table parted detach partition parted_low",
            "alter table parted attach partition parted_low for values from (0) to (100)",
            "truncate parted_rest", "drop table parted_high_1"});
}

/// Relations whose pages are in no WAL, and sequences of all kinds.
void other_kinds(workload_run& run, sql_session& session) {
  const int rows = run.tiny() ? 20 : run.number(500, 1500);
  run_each(
      session,
      {"create unlogged table not_logged (id serial primary key, v text, a int[], p point)",
       "create index on not_logged using hash (v)", "create index on not_logged using gin (a)",
       "create index on not_logged using gist (p)", "create index on not_logged using spgist (p)",
       "create index on not_logged using brin (id)",
       fmt::format("insert into not_logged (v, a, p) select md5(i::text), array[i, i % 5], "
                   "point(i, i) from generate_series(1, {}) i",
                   rows),
       "create temp table passing (id int primary key, v text)",
       fmt::format("insert into passing select i, md5(i::text) from generate_series(1, {}) i",
                   rows),
       "create materialized view seen as select count(*) from parted",
       "refresh materialized view seen", "create sequence counter cache 7",
       "select nextval('counter') from generate_series(1, 100)", "select setval('counter', 1000)",
       "alter sequence counter increment by 2 restart", "create unlogged sequence scratch",
       "select nextval('scratch')", "alter sequence scratch set logged", "drop sequence scratch"});
}

void large_objects(workload_run& run, sql_session& session) {
  const int bytes = run.tiny() ? 5000 : run.number(50000, 200000);
  run_each(session,
           {"create table objects as select lo_create(0) as id from generate_series(1, 5)",
            fmt::format("insert into objects select lo_from_bytea(0, decode(repeat('ab', {}), "
                        "'hex'))",
                        bytes),
            "select lo_put(id, 3000, '\\x00112233') from objects",
            "select lo_unlink(id) from (select id from objects limit 2) as chosen"});
}

}  // namespace

void work_on_relations(workload_run& run) {
  workload_session session(run.host.conninfo(hard_database), "relations");
  cut_and_grow(run, session);
  toast(run, session);
  rewrite(run, session);
  partition(run, session);
  other_kinds(run, session);
  large_objects(run, session);
}

}  // namespace zenith::testing
