// The scenario "heap": every record of heaps, and rewrites of tables and catalogs.
#include <fmt/format.h>

#include <future>

#include "tests/golden/scenarios.hpp"

namespace zenith::testing {
namespace {

/// Speculative insertions, confirmed and taken back: two sessions that meet at the same keys,
/// whose index takes its time.
void insert_on_conflict(postgres_server& server) {
  sql_session session(server.conninfo());
  run_each(session,
           {"create function slow(i int) returns int language plpgsql immutable as "
            "'begin perform pg_sleep(0.002); return i; end'",
            "create table upserted (k int, v text)", "create unique index on upserted (slow(k))"});
  std::vector<std::future<void>> others;
  for (int number = 0; number < 2; ++number)
    others.push_back(std::async(std::launch::async, [&server, number] {
      sql_session other(server.conninfo());
      for (int key = 0; key < 20; ++key)
        other.execute(
            fmt::format("insert into upserted values ({}, repeat('{}', 3000)) on "
                        "conflict (slow(k)) do update set v = excluded.v || '!'",
                        key, number));
    }));
  for (auto& other : others) other.get();
}

/// Row locks of every strength by three sessions, along chains of updated rows.
void lock_rows(postgres_server& server) {
  sql_session a(server.conninfo()), b(server.conninfo()), c(server.conninfo());
  run_each(a, {"create table locked (id int primary key, v int) with (fillfactor = 50)",
               "create table child (id int references locked (id))",
               "insert into locked select i, 0 from generate_series(1, 80) i",
               "vacuum (freeze) locked"});
  for (const auto* strength : {"update", "no key update", "share", "key share"})
    a.execute(fmt::format("select * from locked where id % 15 = 0 for {}", strength));
  for (int round = 0; round < 2; ++round) {
    for (auto* session : {&a, &b, &c}) session->execute("begin");
    a.execute("update locked set v = v + 1 where id between 20 and 30");
    b.execute("select * from locked where id between 20 and 30 for key share");
    a.execute("update locked set v = v + 1 where id between 20 and 24");
    c.execute("select * from locked where id between 20 and 30 for key share");
    c.execute("insert into child select i from generate_series(20, 24) i");
    a.execute(round == 1 ? "rollback" : "commit");
    c.execute("commit");
    b.execute("commit");
  }
  run_each(a, {"begin; select * from locked where id between 60 and 65 for share"});
  run_each(b, {"begin; select * from locked where id between 60 and 65 for key share"});
  run_each(a,
           {"savepoint s", "update locked set v = v + 10 where id between 60 and 63", "savepoint t",
            "update locked set v = v + 10 where id = 61", "rollback to t", "commit"});
  b.execute("commit");
  run_each(a, {"begin; delete from locked where id > 75; rollback", "vacuum (freeze) locked"});
}

}  // namespace

void run_golden_heap(postgres_server& server) {
  sql_session session(server.conninfo());
  run_each(session,
           {"select setseed(0.5)", "create table plain (id int, v text)",
            "insert into plain select i, repeat('v', i % 700) from generate_series(1, 60) i",
            "insert into plain values (null, null), (1, null), (null, 'x')",
            "copy plain from program 'seq 1 200 | sed ''s/$/\tcopied/'''",
            "create table frozen (id int, v text)",
            "begin; truncate frozen; copy frozen from program "
            "'seq 1 100 | sed ''s/$/\tfrozen/''' with (freeze); commit",
            "insert into frozen values (1, 'clears the bits of the last page')",
            "create table hot (id int primary key, n int, a text) with (fillfactor = 60)",
            "insert into hot select i, 0, repeat('a', i % 50) from generate_series(1, 150) i"});
  for (int round = 0; round < 4; ++round)
    run_each(session, {"update hot set n = n + 1 where id % 2 = 0",
                       "update hot set a = left(a, 3) || a where id % 7 = 0",
                       "update hot set a = repeat('z', 300) where id % 41 = 0",
                       "update hot set id = id + 10000 where id % 37 = 0",
                       "select count(*) from hot", "delete from hot where id % 13 = 0 and n > 2"});
  run_each(session,
           {"vacuum hot", "create table toasted (id int, a text, b text)",
            "alter table toasted alter a set storage external",
            "insert into toasted select i, repeat('t', 900 * i), null from generate_series(1, 6) i",
            "update toasted set a = a || 'x' where id > 4", "delete from toasted where id = 3",
            "vacuum toasted", "delete from plain where id > 100", "vacuum plain",
            "insert into plain select i, 'back' from generate_series(1, 40) i"});
  lock_rows(server);
  insert_on_conflict(server);
  run_each(session,
           {"select pg_create_logical_replication_slot('follower', 'test_decoding')",
            "create table altered (id serial primary key, v text)",
            "insert into altered (v) select 'row' || i from generate_series(1, 50) i",
            "alter table altered add column n int default 7",
            "alter table altered alter column n type bigint",
            "begin; update altered set n = 8; create table catalogs_too (i int); commit",
            "cluster altered using altered_pkey", "vacuum full altered",
            // A mapped catalog, with rows whose command ids the slot's reader would need.
            "begin; create table many (a int, b int, c int); alter table many add d int; commit",
            "vacuum full pg_class", "begin; truncate plain, altered; rollback", "truncate plain",
            "insert into plain select i, 'regrown' from generate_series(1, 500) i",
            "delete from plain where id > 100", "vacuum plain", "analyze plain",
            "select pg_drop_replication_slot('follower')", "vacuum (freeze) hot, plain"});
}

}  // namespace zenith::testing
