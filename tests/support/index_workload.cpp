// index_workload: tables whose indexes meet each hard case of their access method.
#include "tests/support/index_workload.hpp"

#include <fmt/format.h>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {

void run_brin_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("brin_{}", seed), seed);
  // Built on a full table and on an empty one; summaries of all widths, whose updates outgrow
  // their places and their pages.
  run_each(session,
           {"create table b (id int, txt text, n int, pad text) with (fillfactor = 30)",
            "create index on b using brin (id) with (pages_per_range = 2, autosummarize = off)",
            "create index on b using brin (txt) with (pages_per_range = 1)",
            "create index on b using brin (id int4_minmax_multi_ops) with (pages_per_range = 3)",
            "create index on b using brin (txt text_bloom_ops (n_distinct_per_range = 100)) "
            "with (pages_per_range = 4)",
            "insert into b select i, md5(i::text), i % 100, repeat('p', 300) "
            "from generate_series(1, 4000) i",
            "create index on b using brin (id, txt, n)",
            "select brin_summarize_new_values(c.oid) from pg_class c join pg_am a "
            "on a.oid = relam where amname = 'brin'",
            "vacuum b", "update b set txt = repeat('0', id % 300) where id % 50 = 0",
            "update b set txt = repeat('z', id % 1900) where id % 90 = 0",
            "insert into b select -i, repeat('A', i % 1500), i, null from "
            "generate_series(1, 1500) i",
            "vacuum b"});
  // Ranges that lose their summaries and get them back.
  run_each(session, {"select brin_desummarize_range(c.oid, g.b) from pg_class c join pg_am a on "
                     "a.oid = relam, generate_series(0, 200, 5) g(b) where amname = 'brin'",
                     "insert into b select i, md5(i::text), 1, null from generate_series(1, 500) i",
                     "select brin_summarize_range(c.oid, g.b) from pg_class c join pg_am a on "
                     "a.oid = relam, generate_series(0, 200, 10) g(b) where amname = 'brin'",
                     "vacuum b"});
  // More ranges than a page of the range map holds (1360), both while the index grows, when the
  // page that the map needs has tuples that must move, and while it is built.
  run_each(session,
           {"create table r (id int, pad text) with (fillfactor = 10)",
            "alter table r alter pad set storage plain",
            "create index on r using brin (id) with (pages_per_range = 1)",
            "insert into r select i, repeat('x', 450) from generate_series(1, 1500) i", "vacuum r",
            "insert into r select i, repeat('x', 450) from generate_series(1, 1500) i", "vacuum r",
            "create index on r using brin (id) with (pages_per_range = 1)",
            "create unlogged table u (id int)", "create index on u using brin (id)",
            "insert into u values (1)"});
}

void run_spgist_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("spgist_{}", seed), seed);
  run_each(
      session,
      {"create table s (id int, pt point, txt text, r int4range, net inet, bx box)",
       "create index on s using spgist (pt)", "create index on s using spgist (pt kd_point_ops)",
       "create index on s using spgist (txt)", "create index on s using spgist (txt) include (id)",
       "create index on s using spgist (r)", "create index on s using spgist (net)",
       "create index on s using spgist (bx) with (fillfactor = 40)",
       // The first rows fit the root, from which they are vacuumed.
       "insert into s (id, txt) select i, 'root' || i from generate_series(1, 20) i",
       "delete from s where id % 2 = 0", "vacuum s"});
  for (const char* order : {"i", "md5(i::text)", "-i"})
    session.execute(
        std::string("insert into s select i, point((i * 7919) % 1000, (i * 104729) % 777), "
                    "case i % 4 when 0 then md5(i::text) when 1 then repeat('same prefix ', 8) || "
                    "(i * 31 % 997) when 2 then chr(33 + i % 90) || chr(161 + i % 800) || i "
                    "else repeat(chr(65 + i % 20), i % 120) end, "
                    "int4range(i % 500, i % 500 + i % 40), "
                    "('10.' || i % 250 || '.' || i % 16 || '.' || i % 200)::inet, "
                    "box(point(i % 300, i % 200), point(i % 300 + i % 7, i % 200 + i % 5)) "
                    "from generate_series(1, 1200) i order by ") +
        order);
  run_each(
      session,
      {"insert into s (id) select generate_series(1, 900)",
       "insert into s select i, point(5, 5), 'all the same', '[3,4]', '1.2.3.4', '(1,1),(2,2)' "
       "from generate_series(1, 1200) i",
       "create index on s using spgist (txt)", "create index on s using spgist (pt)",
       "create index on s using spgist (net inet_ops)", "delete from s where id % 3 = 0",
       "vacuum s",
       "insert into s select i, point(i % 77, i % 99), repeat('same prefix ', 4) || 'other' || i, "
       "int4range(i, i + 3), '192.168.0.0/24', box(point(i, i), point(i + 1, i + 1)) "
       "from generate_series(1, 900) i",
       "delete from s where txt is null or id between 100 and 500", "vacuum s",
       "delete from s where ctid in (select ctid from s order by random() limit 1200)", "vacuum s",
       "insert into s select i, point(i % 7, i % 9), md5(i::text), 'empty', '::1', null "
       "from generate_series(1, 600) i",
       "delete from s", "vacuum s", "vacuum s",
       "insert into s select i, point(i, i), i::text, null, null, null "
       "from generate_series(1, 300) i",
       "create unlogged table u (t text)", "create index on u using spgist (t)"});
  // Labels that come one by one make inner tuples grow, and move where their page is full.
  run_each(session,
           {"create table nodes (t text)", "create index on nodes using spgist (t)",
            "insert into nodes select chr(a) || chr(b) || repeat('x', c) from "
            "generate_series(48, 122) a, generate_series(48, 122) b, generate_series(1, 2) c "
            "where a <> 92 and b <> 92 order by random()",
            "insert into nodes select repeat(chr(a), 60) || chr(b) || c from "
            "generate_series(48, 70) a, generate_series(48, 122) b, generate_series(1, 2) c",
            "checkpoint", "delete from nodes where t < 'M'", "vacuum nodes",
            "insert into nodes select md5(i::text) || i from generate_series(1, 1000) i",
            "vacuum nodes"});
}

}  // namespace zenith::testing
