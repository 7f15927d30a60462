// The scenario "indexes": every record of the index access methods, of sequences and of bloom.
#include <fmt/format.h>

#include "tests/golden/scenarios.hpp"

namespace zenith::testing {
namespace {

void grow_btrees(sql_session& session, const std::string& conninfo) {
  run_each(session,
           {"create table t (id int primary key, dup int, txt text)", "create index on t (dup)",
            "create index on t (txt) with (fillfactor = 50)",
            "insert into t select i, i % 5, md5(i::text) from generate_series(1, 500) i",
            "create index on t (txt desc, dup)", "delete from t where id % 4 = 1", "vacuum t",
            // Rows whose places lie inside posting lists (INSERT_POST).
            "create table p (k int)", "create index on p (k)",
            "insert into p select i % 2 from generate_series(1, 900) i",
            "delete from p where ctid in (select ctid from p order by random() limit 400)",
            "vacuum p", "insert into p select i % 2 from generate_series(1, 380) i"});
  // Entries that scans mark dead, then inserts that need their room (DELETE).
  run_each(session, {"create table d (id int primary key, a int)", "create index on d (a)",
                     "insert into d select i, i from generate_series(1, 400) i",
                     "delete from d where id % 2 = 0",
                     "set enable_seqscan = off; set enable_bitmapscan = off",
                     "select count(*) from d where id > 0", "select count(*) from d where a > 0",
                     "insert into d select i, i from generate_series(2, 400, 2) i",
                     "reset enable_seqscan; reset enable_bitmapscan"});
  for (int round = 0; round < 4; ++round) session.execute("update d set a = a + 1 where id <= 200");
  // Few keys a page: three levels that shrink to one page, which becomes the fast root
  // (UNLINK_PAGE_META), and grow again (INSERT_META).
  run_each(session, {"create table g (k text)", "alter table g alter k set storage external",
                     "create index on g (k)",
                     "insert into g select repeat('x', 2000) || lpad(i::text, 8, '0') "
                     "from generate_series(1, 90) i",
                     "delete from g where right(k, 8)::int < 89", "vacuum g",
                     "insert into g select repeat('x', 2000) || lpad(i::text, 8, '0') "
                     "from generate_series(200, 230) i"});
  // Pages deleted while an old snapshot is open wait for a later vacuum (META_CLEANUP), then serve
  // new splits (REUSE_PAGE).
  run_each(session,
           {"create table r (id int primary key)", "insert into r select generate_series(1, 1800)",
            "delete from r where id between 100 and 1700"});
  {
    sql_session old_snapshot(conninfo);
    run_each(old_snapshot, {"begin isolation level repeatable read", "select count(*) from r"});
    run_each(session, {"select txid_current()", "vacuum r"});
    old_snapshot.execute("commit");
  }
  for (int i = 0; i < 3; ++i) run_each(session, {"select txid_current()", "vacuum r"});
  run_each(session,
           {"insert into r select generate_series(3000, 4200)", "vacuum (index_cleanup on) r"});
}

void grow_hashes(sql_session& session) {
  run_each(session,
           {"create table h (id int, dup int)", "insert into h values (0, 0)",
            // Else an index is built for as many rows as ten pages hold, and no bucket is split.
            "vacuum h", "create index on h using hash (id) with (fillfactor = 10)",
            "create index on h using hash (dup)",
            "insert into h select i, i % 3 from generate_series(1, 1300) i",
            "create index on h using hash ((id / 3)) with (fillfactor = 30)", "vacuum h",
            "delete from h where dup = 1 and id % 2 = 0", "vacuum h",
            "delete from h where dup in (0, 1)", "vacuum h",
            "insert into h select i, 1 from generate_series(1, 700) i", "delete from h", "vacuum h",
            "create unlogged table hu (id int)", "create index on hu using hash (id)"});
  // Entries that scans mark dead and inserts remove, where a page is full.
  run_each(session, {"create table hk (id int)", "create index on hk using hash (id)",
                     "insert into hk select i % 2 from generate_series(1, 700) i",
                     "set enable_seqscan = off; set enable_bitmapscan = off",
                     "delete from hk where ctid in (select ctid from hk where id = 0 limit 250)",
                     "select count(*) from hk where id = 0",
                     "insert into hk select 0 from generate_series(1, 600) i",
                     "reset enable_seqscan; reset enable_bitmapscan"});
}

void grow_gins(sql_session& session) {
  run_each(session,
           {"create table gt (a int[])", "create index on gt using gin (a) with (fastupdate = off)",
            "insert into gt select array[1] from generate_series(1, 2900) i",
            "delete from gt where ctid < '(9,1)'", "vacuum gt",
            // Three leaves of a posting tree, of which the middle one becomes empty and is deleted;
            // then one that is full is split.
            "create table gd (a int[])", "copy gd from program 'yes {1} | head -26000'",
            "create index on gd using gin (a) with (fastupdate = off)",
            "delete from gd where ctid between '(52,1)' and '(120,1)'", "vacuum gd", "vacuum gd",
            "insert into gd select array[1] from generate_series(1, 300) i",
            "create table gp (a int[], t text[])",
            "create index gp_a on gp using gin (a) with (fastupdate = on)",
            "create index gp_t on gp using gin (t) with (fastupdate = off)",
            "insert into gp select array(select generate_series(i, i + 150)), "
            "array[md5(i::text), repeat('w', i * 20), null] from generate_series(1, 50) i",
            "insert into gp values ('{7}', '{}')", "select gin_clean_pending_list('gp_a')",
            "delete from gp where a[1] % 3 = 0", "vacuum gp"});
}

void grow_gists(sql_session& session) {
  run_each(session,
           {"create table e (r int4range, exclude using gist (r with &&))",
            "insert into e select int4range(i * 10, i * 10 + 9) from generate_series(1, 1000) i",
            "create index on e using gist (r) with (buffering = on)",
            "delete from e where lower(r) between 2000 and 9000", "vacuum e",
            "select txid_current()", "vacuum e", "select txid_current()", "vacuum e",
            "insert into e select int4range(i * 10, i * 10 + 9) from generate_series(1100, 1700) i",
            "create table k (p point)", "create index on k using gist (p)",
            "insert into k select point(i, i) from generate_series(1, 300) i",
            "delete from k where p <@ box(point(0, 0), point(150, 150))",
            "set enable_seqscan = off; set enable_bitmapscan = off",
            "select count(*) from k where p <@ box(point(0, 0), point(5000, 5000))",
            "insert into k select point(i, i) from generate_series(1, 300) i",
            "reset enable_seqscan; reset enable_bitmapscan"});
}

void grow_spgists(sql_session& session) {
  run_each(session,
           {"create table s (id int, pt point, txt text)",
            "create index on s using spgist (pt)",
            "create index on s using spgist (txt)",
            "insert into s select i, point(i, i), 'root' || i from generate_series(1, 20) i",
            "delete from s where id % 2 = 0",
            "vacuum s",
            "insert into s select i, point((i * 7919) % 1000, (i * 104729) % 777), case i % 3 "
            "when 0 then md5(i::text) when 1 then repeat('same prefix ', 8) || (i * 31 % 997) "
            "else repeat(chr(65 + i % 20), i % 120) end from generate_series(1, 500) i",
            "insert into s select i, point(5, 5), 'all the same' from generate_series(1, 400) i",
            "delete from s where id % 3 = 0",
            "vacuum s",
            "delete from s where id > 100",
            "vacuum s",
            "create table prefixes (t text)",
            "create index on prefixes using spgist (t)",
            "insert into prefixes select repeat('same prefix ', 8) || md5(i::text) "
            "from generate_series(1, 200) i",
            "insert into prefixes values (repeat('same prefix ', 4) || 'other')",
            "create table nodes (t text)",
            "create index on nodes using spgist (t)",
            "insert into nodes select chr(a) || chr(b) || 'x' from generate_series(48, 90) a, "
            "generate_series(48, 122) b where b <> 92 order by random()",
            "insert into nodes select repeat(chr(a), 60) || chr(b) from "
            "generate_series(48, 60) a, generate_series(48, 122) b",
            "delete from nodes where t < 'M'",
            "vacuum nodes",
            "insert into nodes select md5(i::text) || i from generate_series(1, 300) i",
            "vacuum nodes"});
}

void grow_brins(sql_session& session) {
  run_each(session,
           {"create table b (id int, txt text, pad text) with (fillfactor = 30)",
            "create index b_id on b using brin (id) with (pages_per_range = 2)",
            "create index b_txt on b using brin (txt) with (pages_per_range = 1)",
            "insert into b select i, md5(i::text), repeat('p', 300) from generate_series(1, 300) i",
            "vacuum b", "update b set txt = repeat('0', id % 300) where id % 30 = 0",
            "update b set txt = repeat('z', id % 1900) where id % 20 = 0", "vacuum b",
            "select brin_desummarize_range('b_txt', g) from generate_series(0, 20, 5) g",
            "select brin_summarize_new_values('b_txt')",
            // More ranges than a page of the range map holds (1360).
            "create table br (pad text) with (fillfactor = 10)",
            "alter table br alter pad set storage plain",
            "insert into br select repeat('x', 450) from generate_series(1, 1370) i",
            "create index on br using brin (pad) with (pages_per_range = 1)"});
}

}  // namespace

void run_golden_indexes(postgres_server& server) {
  sql_session session(server.conninfo());
  session.execute("select setseed(0.5)");
  grow_btrees(session, server.conninfo());
  grow_hashes(session);
  grow_gins(session);
  grow_gists(session);
  grow_spgists(session);
  grow_brins(session);
  run_each(session, {"create sequence q", "select nextval('q') from generate_series(1, 40)",
                     "select setval('q', 500)", "alter sequence q increment by -3 minvalue -100",
                     "select nextval('q')", "create extension bloom",
                     "create table bl (x int, y int)", "create index on bl using bloom (x, y)",
                     "insert into bl select i, i from generate_series(1, 600) i",
                     "delete from bl where x % 2 = 0", "vacuum bl"});
}

}  // namespace zenith::testing
