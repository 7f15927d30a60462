// gin_workload: few keys with many rows, many keys with few rows, and pending lists.
#include "tests/support/gin_workload.hpp"

#include <fmt/format.h>

#include "tests/support/workload_session.hpp"

namespace zenith::testing {
namespace {

/// Posting trees of many leaves: keys that all rows have, rows put into holes that others left,
/// leaves that become empty.
void grow_posting_trees(sql_session& session) {
  run_each(session,
           {"create table gt (id int, a int[])",
            "create index on gt using gin (a) with (fastupdate = off)",
            "insert into gt select i, array[1, 2 + i % 3, 10 + i % 500] "
            "from generate_series(1, 12000) i",
            "create index built_gin on gt using gin (a) with (fastupdate = off)",
            "delete from gt where ctid in (select ctid from gt order by random() limit 2500)",
            "vacuum gt",
            "insert into gt select i, array[1, 2 + i % 3, 5000 + i] "
            "from generate_series(12001, 15000) i",
            "delete from gt where id between 2000 and 10000", "vacuum gt",
            "insert into gt select i, array[1, 7] from generate_series(40001, 48000) i",
            "delete from gt where id % 5 <> 0", "vacuum gt", "vacuum gt",
            "insert into gt select i, array[1, i % 9] from generate_series(70001, 74000) i"});
}

/// Leaves in the middle of a posting tree that lose all of their rows, and are used again.
void delete_posting_pages(sql_session& session) {
  run_each(session, {"create table gd (id int, a int[])",
                     "create index on gd using gin (a) with (fastupdate = off)",
                     "insert into gd select i, array[1] from generate_series(1, 26000) i",
                     "delete from gd where id between 100 and 25900", "vacuum gd", "vacuum gd",
                     "insert into gd select i, array[1, 2] from generate_series(1, 9000) i"});
}

/// Entry trees of several levels, with keys of all widths, nulls and empty values.
void grow_entry_trees(sql_session& session) {
  run_each(session, {"create table ge (id int, words text[], doc tsvector)",
                     "create index ge_words on ge using gin (words) with (fastupdate = off)",
                     "create index ge_doc on ge using gin (doc) with (fastupdate = off)",
                     "create index on ge using gin (words, doc) with (fastupdate = off)",
                     "insert into ge select i, array[md5(i::text), md5((i * 7)::text), "
                     "repeat(md5((i % 40)::text), 1 + i % 20)], "
                     "to_tsvector('simple', md5(i::text) || ' common word' || i % 50) "
                     "from (select i from generate_series(1, 4000) i order by random()) r",
                     "insert into ge values (1, null, null), (2, '{}', ''), (3, '{null}', null)",
                     "delete from ge where id % 3 = 0", "vacuum ge",
                     "update ge set words = array_append(words, 'w' || id % 100) where id % 4 = 0",
                     "vacuum ge"});
}

/// Pending lists that grow by one row and by many, and are emptied.
void use_pending_lists(sql_session& session) {
  run_each(session, {"create table gp (id int, a int[], t text[])",
                     "create index gp_a on gp using gin (a) with (fastupdate = on)",
                     "create index gp_t on gp using gin (t) "
                     "with (fastupdate = on, gin_pending_list_limit = 64)"});
  for (int i = 0; i < 300; ++i)
    session.execute(
        fmt::format("insert into gp values ({0}, array[{0}, {1}], array['x{0}', "
                    "repeat('wide', {2})])",
                    i, i % 10, i % 400));
  run_each(session,
           {"insert into gp select i, array(select generate_series(i, i + 300)), null "
            "from generate_series(1, 60) i",
            "select gin_clean_pending_list('gp_a')",
            "insert into gp select i, array[i, i % 7, i % 11], array[md5(i::text)] "
            "from generate_series(1000, 4000) i",
            "vacuum gp", "delete from gp where id % 2 = 0", "vacuum gp",
            "insert into gp select i, array[1], array['same'] from generate_series(1, 3000) i",
            "select gin_clean_pending_list('gp_t')", "vacuum gp"});
}

}  // namespace

void run_gin_workload(const std::string& conninfo, unsigned seed) {
  workload_session session(conninfo, fmt::format("gin_{}", seed), seed);
  grow_posting_trees(session);
  delete_posting_pages(session);
  grow_entry_trees(session);
  use_pending_lists(session);
}

}  // namespace zenith::testing
