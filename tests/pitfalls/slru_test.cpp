// SLRUs whose oldest segments go, and 32-bit numbers that begin again.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "storage/backup/file_names.hpp"
#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_server;
using testing::sql_session;

// Where a cluster's numbers stand.
struct numbers {
  uint32_t xid = 0;
  uint32_t multixact = 0;
  uint32_t offset = 0;  ///< of multixact members
};

// Rewrites a stopped server's counters; pages that the server reads when it starts are made, empty.
void move_numbers(judged_server& judged, const numbers& to) {
  const auto text = [](uint32_t n) { return std::to_string(n); };
  const std::filesystem::path data = judged.server().data();
  testing::run_ok({testing::pg_program("pg_resetwal"), "-D", data.string(), "-x", text(to.xid),
                   "-m", text(to.multixact) + "," + text(to.multixact), "-O", text(to.offset)});
  const auto touch = [&](slru_kind slru, uint32_t page_number) {
    const auto file = data / backup::slru_file(slru, pg::slru_segment_of(page_number));
    if (std::filesystem::exists(file)) return;
    std::ofstream{file};
    std::filesystem::resize_file(file, pg::slru_pages_per_segment * page_size_bytes);
    testing::give_to_database_user(file);
  };
  touch(slru_kind::xact, to.xid / pg::xacts_per_page);
  touch(slru_kind::multixact_offsets, to.multixact / pg::multixact_offsets_per_page);
  touch(slru_kind::multixact_members, to.offset / pg::multixact_members_per_page);
}

void freeze_everything(judged_server& judged) {
  judged.run({"update pg_database set datallowconn = true where not datallowconn"});
  testing::run_ok({testing::pg_program("vacuumdb"), "--all", "--freeze", "--quiet", "-h",
                   judged.server().socket_directory().string(), "-U", "postgres"});
}

// Steps of less than 2^31, with everything frozen at each, lead anywhere.
void move_far(judged_server& judged, const numbers& to) {
  std::vector<numbers> steps;
  for (uint64_t step = 1'400'000'000; step < to.xid; step += 1'400'000'000) {
    const auto here = static_cast<uint32_t>(step);
    steps.push_back({here, here, 1});
  }
  steps.push_back(to);
  for (const numbers& step : steps) {
    judged.server().stop();
    move_numbers(judged, step);
    judged.server().start();
    freeze_everything(judged);
  }
}

// Each gives a multixact of two members, and two transaction ids.
void share_rows(judged_server& judged, int count) {
  sql_session one{judged.server().conninfo()};
  sql_session two{judged.server().conninfo()};
  for (int i = 1; i <= count; ++i) {
    for (sql_session* session : {&one, &two}) {
      session->execute("begin");
      session->execute("select from t where id = " + std::to_string(i) + " for key share");
    }
    one.execute("commit");
    two.execute("commit");
  }
}

void use_transaction_ids(judged_server& judged, int count) {
  judged.run({"do $$ begin for i in 1.." + std::to_string(count) +
              " loop insert into log values (i); if i % 3 = 0 then rollback; else commit; end if; "
              "end loop; end $$"});
}

std::set<uint32_t> segments(const judged_server& judged, lsn mark, slru_kind slru) {
  std::set<uint32_t> found;
  for (const key& k : judged.keys_at(mark, key::slru(slru, 0), key::slru(slru, UINT32_MAX)))
    found.insert(pg::slru_segment_of(k.d));
  return found;
}

constexpr const char* with_timestamps = "track_commit_timestamp = on\n";

void make_tables(judged_server& judged) {
  judged.run({"create table t (id int primary key, v text)",
              "insert into t select i, 'x' from generate_series(1, 60) i",
              "create table log (id int)"});
}

TEST(slru_truncation, removes_the_segments_that_postgresql_removes) {
  judged_server judged{{{}, with_timestamps}};
  // Each number stands short of its SLRU's next segment (slru.h, SLRU_PAGES_PER_SEGMENT).
  constexpr uint32_t xacts = pg::xacts_per_page * pg::slru_pages_per_segment;
  constexpr uint32_t offsets = pg::multixact_offsets_per_page * pg::slru_pages_per_segment;
  constexpr uint32_t members = pg::multixact_members_per_page * pg::slru_pages_per_segment;
  constexpr uint32_t timestamps = pg::commit_ts_per_page * pg::slru_pages_per_segment;
  const numbers edge{xacts * 1000 - 60, offsets * 10 - 7, members * 7 - 25};
  move_far(judged, edge);
  make_tables(judged);
  judged.take_base();
  const lsn before = judged.mark();
  share_rows(judged, 20);
  use_transaction_ids(judged, 6300);
  const lsn used = judged.mark();
  freeze_everything(judged);
  const lsn frozen = judged.mark();
  use_transaction_ids(judged, 30);
  const lsn after = judged.mark();
  judged.ingest();

  EXPECT_EQ(judged.count(before, used, {"rmgr: CLOG", "ZEROPAGE"}), 1u);
  EXPECT_EQ(judged.count(before, used, {"rmgr: MultiXact", "ZERO_OFF_PAGE"}), 1u);
  EXPECT_EQ(judged.count(before, used, {"rmgr: MultiXact", "ZERO_MEM_PAGE"}), 1u);
  EXPECT_GE(judged.count(used, frozen, {"rmgr: CLOG", "TRUNCATE"}), 1u);
  EXPECT_GE(judged.count(used, frozen, {"rmgr: MultiXact", "TRUNCATE_ID"}), 1u);
  EXPECT_GE(judged.count(used, frozen, {"rmgr: CommitTs", "TRUNCATE"}), 1u);
  const auto segment_of = [](uint32_t number, uint32_t per_segment) {
    return number / per_segment;
  };
  const auto expect_segments = [&](slru_kind slru, uint32_t last_before_edge) {
    SCOPED_TRACE(directory_of(slru));
    EXPECT_TRUE(segments(judged, used, slru).contains(last_before_edge));
    EXPECT_EQ(segments(judged, frozen, slru), std::set<uint32_t>{last_before_edge + 1});
  };
  expect_segments(slru_kind::xact, segment_of(edge.xid, xacts));
  expect_segments(slru_kind::multixact_offsets, segment_of(edge.multixact, offsets));
  expect_segments(slru_kind::multixact_members, segment_of(edge.offset, members));
  expect_segments(slru_kind::commit_ts, segment_of(edge.xid, timestamps));
  for (const lsn mark : {before, used, frozen, after}) judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(after);
  EXPECT_EQ(server->value("select count(*) from log"), "4220");
  EXPECT_EQ(server->value("select count(*) from t"), "60");
}

TEST(slru_wraparound, of_xids_multixacts_members_and_commit_timestamps_goes_on_at_the_first_page) {
  judged_server judged{{{}, with_timestamps}};
  const numbers edge{UINT32_MAX - 70, UINT32_MAX - 8, UINT32_MAX - 20};
  move_far(judged, edge);
  make_tables(judged);
  judged.take_base();
  const std::string first_xid = judged.server().value("select txid_current()");
  const lsn before = judged.mark();
  share_rows(judged, 20);
  const lsn shared = judged.mark();
  use_transaction_ids(judged, 60);
  const lsn wrapped = judged.mark();
  const std::string oldest_time =
      judged.server().value("select min(pg_xact_commit_timestamp(xmin)) from log");
  const std::string next_xid = judged.server().value("select txid_current()");
  freeze_everything(judged);
  const lsn frozen = judged.mark();
  share_rows(judged, 5);
  use_transaction_ids(judged, 10);
  const lsn after = judged.mark();
  judged.ingest();

  EXPECT_LT(std::stoull(first_xid), uint64_t{1} << 32);
  EXPECT_GT(std::stoull(next_xid), uint64_t{1} << 32);
  EXPECT_EQ(judged.count(before, wrapped, {"rmgr: CLOG", "ZEROPAGE page 0"}), 1u);
  EXPECT_EQ(judged.count(before, wrapped, {"rmgr: CommitTs", "ZEROPAGE 0"}), 1u);
  EXPECT_EQ(judged.count(before, shared, {"rmgr: MultiXact", "ZERO_OFF_PAGE 0"}), 1u);
  EXPECT_EQ(judged.count(before, shared, {"rmgr: MultiXact", "ZERO_MEM_PAGE 0"}), 1u);
  EXPECT_GE(judged.count(wrapped, frozen, {"rmgr: CLOG", "TRUNCATE"}), 1u);
  EXPECT_GE(judged.count(wrapped, frozen, {"rmgr: MultiXact", "TRUNCATE_ID"}), 1u);
  for (const slru_kind slru : all_slrus) {
    SCOPED_TRACE(directory_of(slru));
    EXPECT_EQ(segments(judged, wrapped, slru).size(), 2u);
    // The last segment of commit timestamps is a part of one and stays: to PostgreSQL, the pages
    // that it lacks are the first ones again, and needed (slru.c, SlruMayDeleteSegment).
    const bool stays = slru == slru_kind::commit_ts;
    EXPECT_EQ(segments(judged, frozen, slru),
              stays ? segments(judged, wrapped, slru) : std::set<uint32_t>{0});
  }
  for (const lsn mark : {before, shared, wrapped, frozen, after})
    judged.expect_recovery_agrees(mark);

  const auto server = judged.start_at(wrapped);
  EXPECT_EQ(server->value("select count(*) from log"), "40");
  EXPECT_EQ(server->value("select min(pg_xact_commit_timestamp(xmin)) from log"), oldest_time);
  EXPECT_EQ(server->value("select txid_current()"), next_xid);
  // Each of these rows has a multixact as its locker, and it must be known to be over.
  EXPECT_EQ(server->value("select count(*) from (select from t for update) x"), "60");
  const auto later = judged.start_at(after);
  EXPECT_EQ(later->value("select count(*) from log"), "47");
}

}  // namespace
}  // namespace zenith
