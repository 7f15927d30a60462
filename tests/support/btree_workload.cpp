// btree_workload: tables of few rows whose indexes have small pages' worth of each hard case.
#include "tests/support/btree_workload.hpp"

#include <fmt/format.h>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {
namespace {

/// Unique, duplicated, wide, included, descending, partial and expression keys; inserts at the
/// end and at random places; all fill factors; builds on full tables.
void grow(sql_session& session) {
  run_each(
      session,
      {"create table t (id int primary key, dup int, txt text, num numeric, pad text) "
       "with (fillfactor = 70)",
       "create index on t (dup)", "create index on t (dup) with (deduplicate_items = off)",
       "create index on t (num)", "create index on t (txt) with (fillfactor = 50)",
       "create index on t (dup desc, txt) include (num)",
       "create index on t (lower(txt)) where dup % 2 = 0",
       "create unique index on t (num, id) with (fillfactor = 10)",
       "insert into t select i, i % 20, md5(i::text), (i * 7919) % 10007, repeat('p', i % 90) "
       "from generate_series(1, 4000) i",
       "insert into t select i, (random() * 10)::int, md5(random()::text), random() * 10000, "
       "null from (select generate_series(8000, 12000) i order by random()) r order by random()",
       "insert into t select i, null, null, null, null from generate_series(20001, 20600) i",
       "create index built on t (txt, dup)",
       "create index concurrently built_concurrently on t (dup, id)", "reindex index built"});
}

/// TIDs that fall inside posting lists, with and without a split of the page (INSERT_POST, and
/// splits of a posting list): rows go into the holes that deleted ones left.
void split_posting_lists(sql_session& session) {
  run_each(
      session,
      {"create table p (k int, filler text)", "create index on p (k)",
       "create index on p (k, filler)",
       "insert into p select i % 3, repeat('f', 20) from generate_series(1, 6000) i",
       "delete from p where ctid in (select ctid from p order by random() limit 2500)", "vacuum p",
       "insert into p select (random() * 3)::int, repeat('f', 20) "
       "from generate_series(1, 3500) i",
       "delete from p where ctid in (select ctid from p order by random() limit 2500)", "vacuum p",
       "insert into p select (random() * 3)::int, repeat('f', 20) "
       "from generate_series(1, 3500) i"});
}

/// Index entries that scans mark dead, then inserts that need their room (DELETE); and versions
/// of rows that pile up in an index whose column did not change (bottom-up deletion).
void delete_on_insert(sql_session& session) {
  run_each(session, {"create table d (id int primary key, a int, b int)", "create index on d (a)",
                     "create index on d (b)",
                     "insert into d select i, i, i % 5 from generate_series(1, 1500) i"});
  for (int round = 0; round < 5; ++round) {
    run_each(session, {"delete from d where id % 3 = 0",
                       "set enable_seqscan = off; set enable_bitmapscan = off",
                       "select count(*) from d where id > 0", "select count(*) from d where a > 0",
                       "select count(*) from d where b >= 0",
                       "insert into d select i, i, i % 5 from generate_series(3, 1500, 3) i",
                       "reset enable_seqscan; reset enable_bitmapscan"});
  }
  for (int round = 0; round < 25; ++round)
    session.execute("update d set a = a + 1 where id <= 700");
}

/// Wide keys that differ at their end only make trees of many levels from few rows.
void deep_tree(sql_session& session) {
  run_each(session,
           {"create table w (id int, k text)", "alter table w alter k set storage external",
            "create index w_k on w (k)", "create index on w (k) include (id)",
            "insert into w select i, repeat('x', 1200) || lpad(i::text, 8, '0') "
            "from generate_series(1, 700) i order by random()",
            "delete from w where id between 100 and 600", "vacuum w",
            "insert into w select i, repeat('x', 1200) || lpad(i::text, 8, '0') "
            "from generate_series(100, 400) i",
            "delete from w where id > 3", "vacuum w", "vacuum w"});
}

/// A level that shrinks to one page becomes the fast root (UNLINK_PAGE_META), and the split of
/// that page moves it up again (INSERT_META).
void move_fast_root(sql_session& session) {
  run_each(session,
           {"create table f (id int primary key)", "insert into f select generate_series(1, 600)",
            "delete from f where id < 590", "vacuum f",
            "insert into f select generate_series(1000, 2000)", "delete from f where id < 1990",
            "vacuum f", "insert into f select generate_series(1, 900)"});
  // Three levels, then only the last page of the lowest.
  run_each(session, {"create table g (k text)", "alter table g alter k set storage external",
                     "create index on g (k)",
                     "insert into g select repeat('x', 2000) || lpad(i::text, 8, '0') "
                     "from generate_series(1, 120) i",
                     "delete from g where right(k, 8)::int < 119", "vacuum g",
                     "insert into g select repeat('x', 2000) || lpad(i::text, 8, '0') "
                     "from generate_series(200, 260) i"});
}

/// Pages that are deleted while an old snapshot is open wait for a later vacuum (META_CLEANUP),
/// then serve new splits (REUSE_PAGE).
void reuse_pages(sql_session& session, const std::string& conninfo, const std::string& schema) {
  run_each(session, {"create table r (id int primary key, dup int)", "create index on r (dup)",
                     "insert into r select i, i % 7 from generate_series(1, 6000) i",
                     "delete from r where id between 500 and 5500"});
  {
    workload_session old_snapshot(conninfo, schema);
    old_snapshot.execute("begin isolation level repeatable read");
    old_snapshot.execute("select count(*) from r");
    session.execute("select txid_current()");
    session.execute("vacuum r");
    old_snapshot.execute("commit");
  }
  for (int i = 0; i < 3; ++i) run_each(session, {"select txid_current()", "vacuum r"});
  run_each(session, {"insert into r select i, i % 7 from generate_series(10000, 16000) i",
                     "vacuum (index_cleanup on) r"});
}

/// Vacuum of all kinds of tuples, of parts of posting lists, and of whole pages.
void vacuum_all(sql_session& session) {
  run_each(session, {"delete from t where id % 7 = 3", "vacuum t",
                     "delete from t where id between 1000 and 3000", "vacuum t",
                     "update t set dup = dup + 1 where id % 2 = 0",
                     "delete from t where dup is null and id % 2 = 1", "vacuum (freeze) t",
                     "insert into t select i, i % 4, md5(i::text), i, null "
                     "from generate_series(50000, 53000) i",
                     "truncate p", "insert into p select i % 3, 'x' from generate_series(1, 900) i",
                     "vacuum full t", "cluster t using t_pkey", "reindex table t"});
}

}  // namespace

void run_btree_workload(const std::string& conninfo, unsigned seed) {
  const auto schema = fmt::format("btree_{}", seed);
  workload_session session(conninfo, schema, seed);
  grow(session);
  split_posting_lists(session);
  delete_on_insert(session);
  deep_tree(session);
  move_fast_root(session);
  vacuum_all(session);
  reuse_pages(session, conninfo, schema);
}

void run_sequence_workload(const std::string& conninfo) {
  workload_session session(conninfo, "sequences");
  run_each(session,
           {"create sequence s", "select nextval('s') from generate_series(1, 100)",
            "select setval('s', 5000)", "select setval('s', 7, false)", "select nextval('s')",
            "alter sequence s increment by -3 minvalue -100000 cache 10",
            "select nextval('s') from generate_series(1, 50)", "alter sequence s restart",
            "create table with_identity (a serial, b bigint generated always as identity, c int)",
            "insert into with_identity (c) select generate_series(1, 200)",
            "truncate with_identity restart identity", "create unlogged sequence u",
            "select nextval('u')", "alter sequence u set logged", "select nextval('u')",
            "drop sequence s"});
}

void run_generic_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("generic_{}", seed), seed);
  run_each(
      session,
      {"create extension if not exists bloom with schema public",
       "create table b (x int, y int, z text)", "create index empty_first on b using bloom (x, y)",
       "insert into b select random() * 1000, i, md5(i::text) "
       "from generate_series(1, 6000) i",
       "create index built_bloom on b using bloom (x, z) with (length = 200)",
       "delete from b where y % 5 < 2", "vacuum b",
       "insert into b select random() * 1000, i, md5(i::text) "
       "from generate_series(6000, 9000) i",
       "delete from b where y < 4000", "vacuum b", "update b set x = x + 1", "vacuum b"});
}

}  // namespace zenith::testing
