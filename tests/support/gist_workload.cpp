// gist_workload: points, boxes, ranges and texts; splits, deletions, and pages used again.
#include "tests/support/gist_workload.hpp"

#include <fmt/format.h>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {
namespace {

/// Inserts one by one into empty indexes, builds on full tables (sorted and buffered), rows that
/// move.
void grow(sql_session& session) {
  run_each(session,
           {"create table s (id int, p point, b box, r int4range, t tsvector)",
            "create index on s using gist (p)",
            "create index on s using gist (b) "
            "with (fillfactor = 50)",
            "create index on s using gist (r, p) include (id)", "create index on s using gist (t)",
            "insert into s select i, point(random(), random()), "
            "box(point(random(), random()), point(random(), random())), "
            "int4range(i, i + (random() * 50)::int), "
            "to_tsvector('simple', md5(i::text) || ' ' || md5((i * 3)::text)) "
            "from generate_series(1, 6000) i",
            "create index built_sorted on s using gist (p)",
            "create index built_buffered on s using gist (b) with (buffering = on)",
            "update s set p = point(random(), random()) where id % 5 = 0",
            "create table e (r int4range, exclude using gist (r with &&))",
            "insert into e select int4range(i * 10, i * 10 + 9) from generate_series(1, 3000) i",
            "insert into s values (0, null, null, 'empty', null)"});
}

/// Vacuum of some tuples, of whole leaves, and leaves that serve again (PAGE_DELETE, PAGE_REUSE).
void delete_and_reuse(sql_session& session) {
  run_each(session, {"delete from s where id % 3 = 0", "vacuum s",
                     "delete from s where p <@ box(point(0, 0), point(0.6, 1))", "vacuum s",
                     "select txid_current()", "vacuum s",
                     "delete from e where lower(r) between 5000 and 25000", "vacuum e",
                     "select txid_current()", "vacuum e", "select txid_current()", "vacuum e",
                     "insert into e select int4range(i * 10, i * 10 + 9) "
                     "from generate_series(4000, 7000) i",
                     "insert into s select i, point(random(), random()), "
                     "box(point(random(), random()), point(random(), random())), "
                     "int4range(i, i + 3), to_tsvector('simple', md5(i::text)) "
                     "from generate_series(10000, 13000) i"});
}

/// Tuples that scans mark dead, then inserts that need their room (DELETE).
void delete_on_insert(sql_session& session) {
  run_each(session, {"create table k (id int, p point)", "create index on k using gist (p)",
                     "insert into k select i, point(i, i) from generate_series(1, 1500) i"});
  for (int round = 0; round < 4; ++round) {
    run_each(session, {"delete from k where id % 2 = 0",
                       "set enable_seqscan = off; set enable_bitmapscan = off",
                       "select count(*) from k where p <@ box(point(0, 0), point(5000, 5000))",
                       "select count(*) from k where p <@ box(point(0, 0), point(5000, 5000))",
                       "insert into k select i, point(i, i) from generate_series(2, 1500, 2) i",
                       "reset enable_seqscan; reset enable_bitmapscan"});
  }
}

}  // namespace

void run_gist_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("gist_{}", seed), seed);
  grow(session);
  delete_and_reuse(session);
  delete_on_insert(session);
}

}  // namespace zenith::testing
