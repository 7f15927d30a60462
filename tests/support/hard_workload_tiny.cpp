// hard_workload: what the access methods log, from as few rows as it takes: btree, hash, heap.
#include "tests/support/hard_workload_parts.hpp"
#include "tests/support/heap_workload.hpp"

namespace zenith::testing {
namespace {

/// Keys of 1300 bytes that differ at their end: six to a page, and a tree of three levels of 60.
std::string insert_wide(int first, int last, const char* order = "i") {
  return fmt::format(
      "insert into w select i, repeat('x', 1300) || lpad(i::text, 6, '0') "
      "from generate_series({}, {}) i order by {}",
      first, last, order);
}

void grow_and_shrink_btree(sql_session& session, const std::string& conninfo) {
  run_each(session,
           {"create table w (id int, k text)", "alter table w alter k set storage external",
            "create index w_k on w (k)", insert_wide(1, 50), insert_wide(60, 70, "-i"),
            "delete from w where id < 69", "vacuum w", insert_wide(100, 150)});
  {
    // Pages that are deleted while an old snapshot is open wait for a later vacuum.
    workload_session old_snapshot(conninfo, "tiny");
    old_snapshot.execute("begin isolation level repeatable read; select count(*) from w");
    run_each(session, {"delete from w where id between 105 and 145", "vacuum w"});
    old_snapshot.execute("commit");
  }
  run_each(session, {"select txid_current()", "vacuum w", "select txid_current()", "vacuum w",
                     insert_wide(160, 220)});
  // Entries that a scan marks dead make room for others.
  run_each(session, {"delete from w where id between 170 and 180",
                     "set enable_seqscan = off; set enable_bitmapscan = off",
                     "select count(*) from w where k > 'x'", insert_wide(170, 180),
                     "reset enable_seqscan; reset enable_bitmapscan"});
}

/// Equal keys that are put together, taken apart by vacuum, and come back between the others.
void deduplicate(sql_session& session) {
  run_each(session,
           {"create table p (k text)", "alter table p alter k set storage external",
            "create index on p (k)",
            "insert into p select repeat(chr(65 + i % 2), 300) from generate_series(1, 100) i",
            "delete from p where ctid in (select ctid from p where ctid::text like '%4)')",
            "vacuum p", "insert into p select repeat('B', 300) from generate_series(1, 6)"});
}

void fill_hash_buckets(sql_session& session) {
  run_each(session, {"create table h (id int)", "insert into h values (0)", "vacuum h",
                     "create index h_id on h using hash (id) with (fillfactor = 60)",
                     // One bucket's chain of four pages, which loses what lies before its end.
                     "insert into h select 1 from generate_series(1, 1500)",
                     "delete from h where ctid < '(5,1)' and ctid::text like '%1)'", "vacuum h",
                     "delete from h where ctid < '(5,1)'", "vacuum h",
                     "insert into h select i from generate_series(1, 400) i", "vacuum h",
                     "set enable_seqscan = off; set enable_bitmapscan = off",
                     "insert into h select 1 from generate_series(1, 400)",
                     "delete from h where id = 1 and ctid::text like '%7)'",
                     "select count(*) from h where id = 1",
                     "insert into h select 1 from generate_series(1, 200)",
                     "reset enable_seqscan; reset enable_bitmapscan"});
}

/// Chains that are pruned, rows that are copied in, frozen, moved to other pages, locked.
void change_heap(sql_session& session, const std::string& conninfo) {
  std::string lines;
  for (int i = 1; i <= 60; ++i) lines += fmt::format("{}\t{}\n", i, std::string(i * 4, 'v'));
  run_each(session, {"create table hot (id int, v text)"});
  session.copy_in("copy hot from stdin", lines);
  run_each(session, {"create index on hot (id)", "vacuum (freeze) hot"});
  for (int round = 0; round < 4; ++round)
    session.execute("update hot set v = v || 'x' where id % 9 = 0");
  run_each(session,
           {"update hot set v = repeat('y', 3000) where id = 7", "delete from hot where id < 5",
            "select count(*) from hot", "vacuum hot", "vacuum (freeze) hot",
            "select from hot where id = 20 for share", "update hot set v = null where id = 20"});
  // A lock goes along the chain of a row that another one updates meanwhile.
  workload_session other(conninfo, "tiny");
  run_each(session, {"begin", "update hot set v = 'z' where id = 30"});
  run_each(other, {"begin", "select from hot where id = 30 for key share", "commit"});
  session.execute("commit");
}

}  // namespace

void work_on_tiny_indexes(workload_run& run) {
  const auto conninfo = run.host.conninfo(hard_database);
  workload_session session(conninfo, "tiny", static_cast<unsigned>(run.number(1, 999)));
  grow_and_shrink_btree(session, conninfo);
  deduplicate(session);
  fill_hash_buckets(session);
  run_speculative_workload(conninfo, "tiny", 2);
  change_heap(session, conninfo);
  work_on_tiny_trees(session);
}

}  // namespace zenith::testing
