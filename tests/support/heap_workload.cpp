// heap_workload: one function a kind of change.
#include "tests/support/heap_workload.hpp"

#include <fmt/format.h>

#include <future>
#include <stdexcept>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {
namespace {

std::string wide_columns(const char* pattern) {
  std::string columns;
  for (int i = 0; i < 70; ++i) columns += fmt::format(", c{} {}", i, pattern);
  return columns;
}

/// 3000 rows for COPY, of all widths.
std::string rows_to_copy() {
  std::string rows;
  for (int i = 1; i <= 3000; ++i) rows += fmt::format("{}\t{}\n", i, std::string(i % 700, 'v'));
  return rows + "\\N\t\\N\n1\t\\N\n\\N\tx\n";
}

/// Rows of all sizes, with and without null bitmaps, toasted and not; COPY of many at once.
void insert_and_copy(sql_session& session) {
  const auto rows = rows_to_copy();
  run_each(session,
           {"create table plain (id int, v text)",
            "insert into plain select i, repeat('v', i % 700) from generate_series(1, 3000) i",
            "insert into plain values (null, null), (1, null), (null, 'x')",
            "create table wide (id int primary key" + wide_columns("int") + ", tail text)",
            "insert into wide (id, c3, c69, tail) select i, i, i, repeat('t', i % 2000) "
            "from generate_series(1, 300) i",
            "create table toasted (id int primary key, a text, b text)",
            "alter table toasted alter a set storage external",
            "insert into toasted select i, repeat(md5(i::text), 10 * i), "
            "(select string_agg(md5((i * j)::text), '') from generate_series(1, 3 * i) j) "
            "from generate_series(1, 60) i",
            "create table copied (id int, v text)"});
  session.copy_in("copy copied from stdin", rows);
  session.execute("create index on copied (id)");
  session.copy_in("copy copied from stdin", rows);
  run_each(session, {"delete from copied where id % 3 = 0", "vacuum copied"});
  session.copy_in("copy copied from stdin", rows);
  run_each(session, {"begin", "create table frozen (id int, v text)"});
  session.copy_in("copy frozen from stdin with (freeze)", rows);
  run_each(session, {"commit", "insert into frozen values (1, 'clears the bits of the last page')",
                     "begin", "truncate copied"});
  session.copy_in("copy copied from stdin with (freeze)", rows);
  run_each(session, {"commit", "delete from copied where id < 100"});
}

/// HOT and other updates, that share beginning and end with the old row, or nothing; chains that
/// are pruned, then vacuumed.
void update_and_prune(sql_session& session) {
  run_each(session,
           {"create table hot (id int primary key, n int, a text, b text) with (fillfactor = 60)",
            "insert into hot select i, 0, repeat('a', i % 50), md5(i::text) "
            "from generate_series(1, 1500) i",
            "create table part (k int, v text) partition by list (k)",
            "create table part_1 partition of part for values in (1)",
            "create table part_2 partition of part for values in (2)",
            "insert into part select 1, repeat('p', i) from generate_series(1, 200) i"});
  for (int round = 0; round < 6; ++round) {
    run_each(session, {"update hot set n = n + 1 where id % 2 = 0",
                       "update hot set a = a || 'longer' where id % 5 = 0",
                       "update hot set a = left(a, 3) || a where id % 7 = 0",
                       "update hot set b = md5(b), a = null where id % 11 = 0",
                       "update hot set a = repeat('z', 300) where id % 41 = 0",
                       "update hot set id = id + 10000 where id % 97 = 0",
                       "select count(*) from hot where id % 3 = 0",
                       "update wide set c5 = id, tail = tail || 'x' where id % 3 = 0",
                       "update wide set c3 = null, c69 = null where id % 4 = 0",
                       "update toasted set b = reverse(b) where id % 3 = 0",
                       "update toasted set id = id + 1000 where id % 8 = 0",
                       "update part set k = 3 - k where length(v) % 2 = 0",
                       "delete from hot where id % 13 = 0 and n > 2"});
    if (round % 2 == 1)
      run_each(session, {"vacuum hot", "vacuum (index_cleanup off) wide", "vacuum toasted"});
  }
  run_each(session,
           {"delete from hot where id % 2 = 1", "vacuum hot",
            "insert into hot select i, 0, 'again', null from generate_series(30001, 30700) i",
            "delete from toasted where id % 2 = 0", "vacuum (verbose false) toasted",
            "vacuum part_1, part_2", "delete from hot", "vacuum hot",
            "insert into hot select i, 0, 'regrown', null from generate_series(1, 400) i"});
}

/// Row locks of every strength by several sessions at once: multixacts, chains of updated rows.
void lock_rows(const std::string& conninfo, const std::string& schema) {
  workload_session a(conninfo, schema), b(conninfo, schema), c(conninfo, schema);
  run_each(a, {"create table locked (id int primary key, v int) with (fillfactor = 50)",
               "create table child (id int references locked (id))",
               "insert into locked select i, 0 from generate_series(1, 600) i",
               "vacuum (freeze) locked"});
  for (const auto* strength : {"update", "no key update", "share", "key share"})
    a.execute(fmt::format("select * from locked where id % 5 = 0 for {}", strength));
  for (const auto* others : {"share", "key share"}) {
    for (auto* session : {&a, &b, &c}) session->execute("begin");
    for (auto* session : {&a, &b, &c})
      session->execute(
          fmt::format("select * from locked where id between 50 and 90 for {}", others));
    a.execute("savepoint s");
    a.execute("select * from locked where id between 100 and 120 for no key update");
    b.execute("select * from locked where id between 100 and 120 for key share");
    a.execute("rollback to s");
    a.execute("select * from locked where id between 110 and 130 for key share");
    a.execute("commit");
    b.execute("commit");
    c.execute("rollback");
  }
  for (int round = 0; round < 3; ++round) {
    // A key share lock goes along the chain of a row that others update meanwhile.
    for (auto* session : {&a, &b, &c}) session->execute("begin");
    a.execute("update locked set v = v + 1 where id between 200 and 260");
    b.execute("select * from locked where id between 200 and 260 for key share");
    a.execute("update locked set v = v + 1 where id between 200 and 230");
    c.execute("select * from locked where id between 200 and 260 for key share");
    c.execute("insert into child select i from generate_series(200, 240) i");
    b.execute("insert into child select i from generate_series(220, 250) i");
    a.execute(round == 1 ? "rollback" : "commit");
    c.execute("commit");
    b.execute("commit");
  }
  // Of a row with several lockers one becomes its updater, in a subtransaction.
  run_each(a, {"begin", "select * from locked where id between 300 and 340 for share"});
  run_each(b, {"begin", "select * from locked where id between 300 and 340 for key share"});
  run_each(
      a, {"savepoint s", "update locked set v = v + 10 where id between 300 and 330", "savepoint t",
          "update locked set v = v + 10 where id between 310 and 320", "rollback to t", "commit"});
  b.execute("commit");
  run_each(a, {"begin", "delete from locked where id between 500 and 510"});
  a.execute("rollback");
  run_each(a, {"vacuum (freeze) locked", "select * from locked where id = 7 for update",
               "update locked set v = -1 where id = 7", "vacuum (freeze) locked"});
  // Frozen rows that still say that two commands of one transaction inserted and deleted them.
  run_each(a, {"begin", "insert into locked select i, 0 from generate_series(1000, 1020) i",
               "savepoint s", "delete from locked where id >= 1000", "rollback to s", "commit",
               "vacuum (freeze) locked",
               "select * from locked where id between 1000 and 1005 "
               "for update",
               "update locked set v = 1 where id between 1004 and 1010",
               "delete from locked where id > 1015"});
}

/// Subtransactions by the hundred, some of them rolled back; catalog changes; rewrites of tables
/// and of catalogs, with a logical slot that wants to follow them.
void change_catalogs(sql_session& session) {
  run_each(session,
           {"do $$ begin for i in 1..300 loop begin insert into plain values (i, 'sub'); "
            "if i % 3 = 0 then raise exception 'no'; end if; exception when others then null; end; "
            "end loop; end $$",
            "select pg_create_logical_replication_slot('follower', 'test_decoding')",
            "create table altered (id serial primary key, v text)",
            "insert into altered (v) select md5(i::text) from generate_series(1, 500) i",
            "alter table altered add column n int default 7",
            "alter table altered alter column v type varchar(100)",
            "alter table altered alter column n type bigint",
            "create index on altered (v)",
            "cluster altered using altered_pkey",
            "vacuum full altered",
            "vacuum full pg_class",
            "vacuum full pg_attribute",
            "analyze",
            "vacuum",
            "create table gone as select * from plain",
            "drop table gone",
            "begin; create table aborted as select * from plain; rollback",
            "truncate plain",
            "begin; truncate plain; insert into plain values (1, 'x'); rollback",
            "insert into plain select i, 'regrown' from generate_series(1, 500) i",
            "delete from plain where id > 100",
            "vacuum plain",
            "vacuum (freeze)",
            "select pg_drop_replication_slot('follower')",
            "update pg_description set description = description || '.' where objoid::int % 5 = 0",
            "vacuum (freeze) pg_description",
            "vacuum (freeze)"});
}

}  // namespace

void run_heap_workload(const std::string& conninfo, unsigned seed) {
  const auto schema = fmt::format("heap_{}", seed);
  workload_session session(conninfo, schema, seed);
  // After each checkpoint the first change of a page is an image, where full_page_writes is on.
  insert_and_copy(session);
  session.execute("checkpoint");
  update_and_prune(session);
  session.execute("checkpoint");
  lock_rows(conninfo, schema);
  run_speculative_workload(conninfo, schema, 12);
  session.execute("checkpoint");
  change_catalogs(session);
}

void run_speculative_workload(const std::string& conninfo, const std::string& schema, int rounds) {
  constexpr int sessions = 3;
  workload_session gate(conninfo, schema);
  // An index whose entries wait at a gate: each session's second look at its key is that of the
  // entry that it is about to make, when its row is in the table already.
  run_each(gate,
           {"create function gated(i int) returns int language plpgsql immutable as "
            "'declare look int := "
            "coalesce(nullif(current_setting(''work.look'', true), ''''), ''0'')::int + 1; begin "
            "perform set_config(''work.look'', look::text, false); "
            "perform pg_advisory_lock_shared(look), pg_advisory_unlock_shared(look); "
            "return i; end'",
            "create table upserted (k int, v text)", "create unique index on upserted (gated(k))"});
  for (int key = 0; key < rounds; ++key) {
    gate.execute("select pg_advisory_lock(2)");
    std::vector<std::future<void>> done;
    for (int number = 0; number < sessions; ++number)
      done.push_back(std::async(std::launch::async, [&conninfo, &schema, key, number] {
        workload_session session(conninfo, schema);
        run_each(session,
                 {"set work.look = 0",
                  fmt::format("insert into upserted values ({}, repeat('{}', 300)) on conflict "
                              "(gated(k)) do update set v = excluded.v || '!'",
                              key, number)});
      }));
    const bool met = wait_until([&gate] {
      return gate.value(
                 "select count(*) from pg_locks where locktype = 'advisory' "
                 "and not granted") == std::to_string(sessions);
    });
    gate.execute("select pg_advisory_unlock(2)");
    for (auto& one : done) one.get();
    if (!met) throw std::runtime_error("the sessions did not meet at a key");
  }
}

void run_visibility_workload(const std::string& conninfo) {
  // One row a page, and 32672 heap pages for each page of the map.
  constexpr int blocks_per_map_page = 32672;
  workload_session session(conninfo, "visibility");
  const auto row_of_block = [](int block) { return block + 1; };
  run_each(session, {"create table paged (id int, n int, pad text) with (fillfactor = 10)",
                     "alter table paged alter pad set storage plain",
                     fmt::format("insert into paged select i, 0, repeat('x', 450) "
                                 "from generate_series(1, {}) i",
                                 2 * blocks_per_map_page + 700),
                     "create index on paged (id)", "vacuum paged", "analyze paged"});
  for (int map_page = 1; map_page <= 2; ++map_page) {
    const int edge = row_of_block(map_page * blocks_per_map_page);
    run_each(
        session,
        {fmt::format("update paged set n = 1 where id between {} and {}", edge - 3, edge + 2),
         fmt::format("delete from paged where id in ({}, {})", edge - 10, edge + 10),
         fmt::format("select * from paged where id in ({}, {}) for share", edge - 20, edge + 20),
         // Rows that outgrow their page go to the end: bits of two pages in one record.
         fmt::format("update paged set pad = repeat('y', 7700) where id in ({}, {})", edge - 30,
                     edge + 30)});
  }
  run_each(session, {"vacuum (freeze) paged",
                     fmt::format("select * from paged where id between {} and {} for key share",
                                 blocks_per_map_page - 5, blocks_per_map_page + 5),
                     "update paged set n = 2 where id % 97 = 0", "vacuum paged",
                     "delete from paged where id % 101 = 0", "vacuum (freeze) paged",
                     "insert into paged select i, 0, 'back' from generate_series(1, 300) i"});
}

}  // namespace zenith::testing
