// hash_workload: builds, splits, overflow chains and their squeezing, dead entries.
#include "tests/support/hash_workload.hpp"

#include <fmt/format.h>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {
namespace {

/// Indexes that grow from nothing, that are built on full tables of all sizes (many buckets at
/// once, among them numbers that are no power of two), and the init fork of an unlogged one.
void build_and_split(sql_session& session) {
  run_each(
      session,
      {"create table h (id int, txt text, dup int)", "create index h_id on h using hash (id)",
       "create index h_txt on h using hash (txt) with (fillfactor = 10)",
       "create index h_dup on h using hash (dup)",
       "insert into h select i, md5(i::text), i % 7 from generate_series(1, 3000) i",
       "create index on h using hash (id)",
       "insert into h select i, md5(i::text), i % 7 from generate_series(3001, 6000) i",
       "create index on h using hash (txt) with (fillfactor = 30)",
       "create index concurrently on h using hash ((id / 3))", "create unlogged table u (id int)",
       "create index on u using hash (id)", "insert into u select generate_series(1, 100)",
       "create table few (id int)", "insert into few select generate_series(1, 900)",
       "create index on few using hash (id)"});
}

/// Long chains of overflow pages that lose their entries in different places, are vacuumed, and
/// give their pages to other buckets.
void overflow_and_squeeze(sql_session& session) {
  run_each(session,
           {"delete from h where dup = 3 and id % 2 = 0", "vacuum h",
            "delete from h where ctid in (select ctid from h order by random() limit 2500)",
            "vacuum h", "insert into h select i, 'same', 4 from generate_series(1, 1500) i",
            "delete from h where dup in (1, 2) or txt = 'same' and id > 100", "vacuum h",
            "insert into h select i, md5(i::text), 1 from generate_series(1, 2500) i",
            "delete from h where dup = 1 and id < 2300", "vacuum h", "delete from h", "vacuum h",
            "insert into h select i, 'again', i from generate_series(1, 1500) i", "vacuum h"});
}

/// Entries that scans mark dead and inserts remove, where a page is full.
void kill_and_insert(sql_session& session) {
  run_each(session, {"create table k (id int)", "create index on k using hash (id)",
                     "insert into k select i % 5 from generate_series(1, 2500) i",
                     "set enable_seqscan = off; set enable_bitmapscan = off"});
  for (int round = 0; round < 6; ++round)
    run_each(session, {"delete from k where ctid in (select ctid from k where id < 4 limit 900)",
                       "select count(*) from k where id = 0", "select count(*) from k where id = 1",
                       "select count(*) from k where id = 2", "select count(*) from k where id = 3",
                       "insert into k select i % 5 from generate_series(1, 1100) i"});
  session.execute("reset enable_seqscan; reset enable_bitmapscan");
}

/// Splits right after checkpoints: of buckets that nothing has touched since.
void split_after_checkpoints(sql_session& session) {
  run_each(session,
           {"create table g (id int)", "create index on g using hash (id) with (fillfactor = 10)",
            "insert into g select generate_series(1, 2500)"});
  for (int round = 0; round < 8; ++round)
    run_each(session, {"checkpoint",
                       "insert into g select max(id) + i from g, "
                       "generate_series(1, 45) i group by i"});
}

}  // namespace

void run_hash_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("hash_{}", seed), seed);
  // After each checkpoint the first change of a page is an image, where full_page_writes is on.
  build_and_split(session);
  session.execute("checkpoint");
  overflow_and_squeeze(session);
  session.execute("checkpoint");
  kill_and_insert(session);
  split_after_checkpoints(session);
}

}  // namespace zenith::testing
