// hard_workload: rows that several transactions lock, in every strength, until SLRU pages are full.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

constexpr auto strengths = {"key share", "share", "no key update", "update"};

void lock_row(sql_session& session, int id, const char* strength) {
  session.execute(fmt::format("select from locked where id = {} for {}", id, strength));
}

/// Each pair of strengths that do not exclude each other, of two transactions, of a transaction
/// and its subtransaction, and of an updater and those who lock what it updates.
void lock_in_every_strength(workload_run& run, const std::string& conninfo) {
  workload_session a(conninfo, "multixacts"), b(conninfo, "multixacts");
  int id = 0;
  for (const auto* end : {"commit", "rollback"}) {
    for (const auto* first : strengths) {
      run_each(a, {"begin"});
      lock_row(a, ++id, first);
      for (const auto* second : strengths) {
        run_each(a, {"savepoint s"});
        lock_row(a, ++id, first);
        run_each(a, {"savepoint t"});
        lock_row(a, id, second);
        a.execute(run.number(0, 1) == 0 ? "rollback to s" : "release t");
      }
      a.execute(end);
    }
    for (const auto& [first, second] : {std::pair{"key share", "key share"},
                                        {"key share", "share"},
                                        {"key share", "no key update"},
                                        {"share", "key share"},
                                        {"share", "share"},
                                        {"no key update", "key share"}}) {
      run_each(a, {"begin"});
      run_each(b, {"begin"});
      lock_row(a, ++id, first);
      lock_row(b, id, second);
      a.execute(end);
      b.execute("commit");
    }
    // The lock follows the row to its new version, and the update takes the lock along.
    run_each(a, {"begin", fmt::format("update locked set v = v + 1 where id = {}", ++id)});
    run_each(b, {"begin"});
    lock_row(b, id, "key share");
    run_each(a, {fmt::format("update locked set v = v + 1 where id = {}", id), end});
    run_each(b, {fmt::format("delete from referring where id = {}", id), "commit"});
  }
}

/// Multixacts of 2, 3, 4... members: each subtransaction joins those before it.
void fill_member_pages(workload_run& run, const std::string& conninfo) {
  workload_session session(conninfo, "multixacts");
  // 1636 members fill a page; n subtransactions make n * n / 2.
  const int subtransactions = run.tiny() ? 60 : run.number(90, 110);
  session.execute(fmt::format(
      "do $$ begin for n in 1..{} loop begin perform from locked where id = 90 for key share; "
      "exception when raise_exception then null; end; end loop; end $$",
      subtransactions));
}

/// More multixacts than a page of pg_multixact/offsets has (2048), on rows that need no WAL.
void fill_offset_pages(workload_run& run, const std::string& conninfo) {
  workload_session a(conninfo, "multixacts"), b(conninfo, "multixacts");
  const int rows = run.number(2300, 4500);
  run_each(a, {"create unlogged table many (id int primary key)",
               fmt::format("insert into many select generate_series(1, {})", rows)});
  run_each(b, {"begin", "select count(*) from (select from many for key share) as locked"});
  a.execute(fmt::format(
      "do $$ begin for n in 1..{} loop begin perform from many where id = n for key share; "
      "exception when raise_exception then null; end; end loop; end $$",
      rows));
  b.execute("commit");
  a.execute("drop table many");
}

}  // namespace

void work_on_multixacts(workload_run& run) {
  const auto conninfo = run.host.conninfo(hard_database);
  workload_session session(conninfo, "multixacts");
  run_each(session, {"create table locked (id int primary key, v int) with (fillfactor = 50)",
                     "insert into locked select i, 0 from generate_series(1, 100) i",
                     "create table referring (id int references locked)"});
  lock_in_every_strength(run, conninfo);
  fill_member_pages(run, conninfo);
  if (!run.tiny()) fill_offset_pages(run, conninfo);
  run_each(session, {"insert into referring select generate_series(1, 100)",
                     "update locked set v = v + 1 where id % 3 = 0",
                     "set vacuum_multixact_freeze_min_age = 0", "vacuum (freeze) locked",
                     "update locked set v = v + 1 where id % 2 = 0"});
  // Rows that two transactions share now, which stay as they are.
  workload_session other(conninfo, "multixacts");
  run_each(session, {"begin"});
  run_each(other, {"begin"});
  for (int id = 1; id <= 5; ++id) {
    lock_row(session, id, "share");
    lock_row(other, id, "key share");
  }
  session.execute("commit");
  other.execute("commit");
}

}  // namespace zenith::testing
