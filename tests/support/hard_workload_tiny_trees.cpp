// hard_workload: what the access methods log, from as few rows as it takes: gin, gist, spgist,
// brin.
#include "tests/support/hard_workload_parts.hpp"

namespace zenith::testing {
namespace {

void fill_gin(sql_session& session) {
  // A posting tree of three leaves, whose middle one becomes empty. COPY logs few bytes a row.
  std::string lines;
  for (int i = 1; i <= 17000; ++i) lines += fmt::format("{}\n", i);
  session.execute("create table g (id int)");
  session.copy_in("copy g from stdin", lines);
  run_each(session, {"create index on g using gin ((array[1])) with (fastupdate = off)",
                     "delete from g where id between 7500 and 16300 or id = 3", "vacuum g",
                     "insert into g select generate_series(1, 30)"});
  // Entries of 1000 bytes; a list of pending ones that is emptied into posting lists and a tree.
  run_each(session,
           {"create table e (id int, words text[])",
            "create index on e using gin (words) with (fastupdate = off)",
            "insert into e select i, array['common', repeat('x', 1000) || i] "
            "from generate_series(1, 25) i",
            "delete from e where id % 4 = 0", "vacuum e", "create table l (id int, a int[])",
            "create index l_a on l using gin (a) with (fastupdate = on)",
            "insert into l select i, array[i % 3] from generate_series(1, 5) i",
            "insert into l select i, array(select generate_series(1, 900)) "
            "from generate_series(1, 2) i",
            "select gin_clean_pending_list('l_a')"});
  std::string rows;
  for (int i = 1; i <= 3000; ++i) rows += "1\t{7}\n";
  session.copy_in("copy l from stdin", rows);
  session.execute("select gin_clean_pending_list('l_a')");
}

/// Wide leaves, by a column that the index only carries: seven to a page.
void fill_gist(sql_session& session) {
  const auto insert = [&session](int first, int last) {
    session.execute(
        fmt::format("insert into s select i, point(i, i), repeat('p', 1000) "
                    "from generate_series({}, {}) i",
                    first, last));
  };
  run_each(session, {"create table s (id int, p point, pad text)",
                     "alter table s alter pad set storage external",
                     "create index on s using gist (p) include (pad)"});
  insert(1, 40);
  run_each(session, {"create index built_sorted on s using gist (p)", "drop index built_sorted",
                     "delete from s where id between 5 and 36", "vacuum s", "select txid_current()",
                     "vacuum s", "select txid_current()", "vacuum s"});
  insert(41, 80);
  run_each(session, {"delete from s where id % 3 = 0",
                     "set enable_seqscan = off; set enable_bitmapscan = off",
                     "select count(*) from s where p <@ box(point(0, 0), point(100, 100))"});
  insert(41, 70);
  session.execute("reset enable_seqscan; reset enable_bitmapscan");
}

void fill_spgist(sql_session& session) {
  run_each(session,
           {"create table t (id int, txt text, pad text)",
            "alter table t alter pad set storage external",
            "create index on t using spgist (txt) include (pad)",
            "insert into t select i, 'root' || i, 'p' from generate_series(1, 5) i",
            "delete from t where id = 3", "vacuum t",
            "insert into t select i, repeat('same prefix ', 4) || chr(65 + i % 26) || i, "
            "repeat('p', 600) from generate_series(1, 60) i",
            "insert into t select i, repeat('same ', 3) || chr(97 + i % 26) || i, "
            "repeat('p', 600) from generate_series(1, 40) i",
            "insert into t select i, chr(48 + i) || i, repeat('p', 300) "
            "from generate_series(1, 40) i",
            "delete from t where id % 4 = 0", "vacuum t", "select txid_current()", "vacuum t",
            "create table nodes (t text)", "create index on nodes using spgist (t)",
            "insert into nodes select chr(a) || chr(b) || 'x' from generate_series(97, 122) a, "
            "generate_series(65, 90) b order by random()"});
}

/// One row a page and one page a range. Summaries outgrow their pages, with values that BRIN
/// cannot compress.
void fill_brin(sql_session& session) {
  run_each(session, {"create table b (id int, txt text, pad text) with (fillfactor = 10)",
                     "alter table b alter txt set storage external, alter pad set storage external",
                     "create index b_txt on b using brin (txt) with (pages_per_range = 1)",
                     "insert into b select i, repeat(chr(64 + i), 100), repeat('p', 500) "
                     "from generate_series(1, 26) i",
                     "select brin_summarize_new_values('b_txt')",
                     "update b set txt = repeat('0', 101) where id = 6",
                     "update b set txt = 'z' || (select string_agg(md5((id * j)::text), '') "
                     "from generate_series(1, 42) j) where id % 2 = 0",
                     "select brin_desummarize_range('b_txt', 3)", "vacuum b"});
}

}  // namespace

void work_on_tiny_trees(sql_session& session) {
  fill_gin(session);
  fill_gist(session);
  fill_spgist(session);
  fill_brin(session);
  run_each(session, {"create extension bloom with schema public", "create table bl (x int, y int)",
                     "create index on bl using bloom (x, y)",
                     "insert into bl select i, i from generate_series(1, 20) i",
                     "delete from bl where x < 5", "vacuum bl"});
}

}  // namespace zenith::testing
