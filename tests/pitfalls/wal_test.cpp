// What the WAL itself does at the borders of pages, segments and pg_timelines.
#include <gtest/gtest.h>

#include <fstream>

#include "storage/backup/control_state.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_record;
using testing::judged_server;

bool crosses_segments(const judged_server& judged, const judged_record& record) {
  const uint32_t size = judged.segment_size_bytes();
  return pg::segment_start(record.start, size) !=
         pg::segment_start(lsn{record.end.value() - 1}, size);
}

std::vector<judged_record> crossing(const judged_server& judged, lsn from, lsn until,
                                    const std::vector<std::string>& texts) {
  std::vector<judged_record> found = judged.find(from, until, texts);
  std::erase_if(found, [&](const auto& record) { return !crosses_segments(judged, record); });
  return found;
}

TEST(records_that_cross_segments, are_whole_and_give_their_pages) {
  judged_server judged;  // of 1 MiB segments
  judged.server().start();
  judged.run({"create table t (id int, p point)",
              "insert into t select i, point(i, i % 77) from generate_series(1, 20000) i"});
  judged.take_base();
  const lsn before = judged.mark();
  // Records of 32 pages each (xloginsert.c, log_newpage_range), and one over three segments.
  judged.run({"create index i on t using spgist (p)"});
  const lsn built = judged.mark();
  judged.run({"select pg_logical_emit_message(true, 'long', repeat('m', 2500000))",
              "delete from t where id > 10000"});
  const lsn after = judged.mark();
  judged.ingest();

  const auto pages = crossing(judged, before, built, {"rmgr: XLOG", "FPI", "blkref #8"});
  ASSERT_GE(pages.size(), 1u);
  EXPECT_EQ(crossing(judged, built, after, {"LogicalMessage"}).size(), 1u);
  for (const lsn mark : {pages[0].end, after}) judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(after);
  server->execute("set enable_seqscan = off");
  EXPECT_EQ(server->value("select count(*) from t where p <@ box '((0,0),(50000,100))'"), "10000");
  // A server that starts in the segment in which a long record ends.
  const auto message = crossing(judged, built, after, {"LogicalMessage"}).at(0);
  EXPECT_EQ(judged.start_at(message.end)->value("select count(*) from t"), "20000");
}

TEST(xlog_switch, leaves_the_rest_of_the_segment_unused_and_servers_start_right_after_it) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int)"});
  judged.take_base();
  const lsn before = judged.mark();
  judged.run({"insert into t values (1)", "select pg_switch_wal()"});
  const lsn switched = judged.mark();
  judged.run({"insert into t values (2)", "select pg_switch_wal()", "insert into t values (3)"});
  const lsn after = judged.mark();
  judged.ingest();

  const auto switches = judged.find(before, after, {"rmgr: XLOG", "SWITCH"});
  ASSERT_EQ(switches.size(), 2u);
  for (const judged_record& record : switches) {
    EXPECT_EQ(record.end, pg::segment_start(record.end, judged.segment_size_bytes()));
    EXPECT_GT(record.end - record.start, 10'000u);
  }
  EXPECT_EQ(judged.last_before(switched).end, switches[0].end);
  for (const lsn mark : {switches[0].end, switches[1].end, after})
    judged.expect_recovery_agrees(mark);
  for (int i = 0; i < 2; ++i) {
    const auto server = judged.start_at(switches[static_cast<size_t>(i)].end);
    EXPECT_EQ(server->value("select count(*) from t"), std::to_string(i + 1));
    server->execute("insert into t values (4)");
    server->kill();
    server->start();
    EXPECT_EQ(server->value("select count(*) from t"), std::to_string(i + 2));
  }
}

// Zeros from here to the end of the file, as if it had not been written.
void lose_wal(const judged_server& judged, const std::filesystem::path& folder, lsn from) {
  const uint32_t size = judged.segment_size_bytes();
  for (lsn at = from;; at = pg::segment_start(at, size) + size) {
    const auto file = folder / pg::segment_file_name(pg_timeline{1}, at.value() / size, size);
    if (!std::filesystem::exists(file)) return;
    std::filesystem::resize_file(file, at.value() % size);
    std::filesystem::resize_file(file, size);
  }
}

TEST(overwritten_contrecord, is_dropped_and_what_stands_in_its_place_counts) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int)"});
  judged.take_base();
  judged.run({"insert into t values (1)"});
  const lsn torn = judged.mark();
  judged.run({"select pg_logical_emit_message(true, 'torn', repeat('x', 60000))"});
  judged.server().kill();
  const lsn lost = pg::wal_page_start(torn) + 3 * page_size_bytes;
  lose_wal(judged, judged.server().data() / "pg_wal", lost);
  judged.server().start();
  judged.run({"insert into t values (2)"});
  const lsn after = judged.mark();
  judged.ingest();

  const auto stand_in = judged.find(torn, after, {"rmgr: XLOG", "OVERWRITE_CONTRECORD"});
  ASSERT_EQ(stand_in.size(), 1u);
  EXPECT_EQ(pg::wal_page_start(stand_in[0].start), lost);
  EXPECT_EQ(judged.count(torn, after, {"LogicalMessage"}), 0u);
  EXPECT_LE(judged.last_before(stand_in[0].start).end, torn);
  for (const lsn mark : {stand_in[0].end, after}) judged.expect_recovery_agrees(mark);
  EXPECT_EQ(judged.start_at(stand_in[0].end)->value("select count(*) from t"), "1");
  EXPECT_EQ(judged.start_at(after)->value("select count(*) from t"), "2");
}

TEST(timeline_switch, of_a_promoted_source_is_one_history) {
  judged_server judged;
  judged.server().start();
  judged.run({"create table t (id int primary key)"});
  judged.take_base();
  judged.run({"insert into t select generate_series(1, 500)"});
  // What lies beyond may be lost with the server.
  const lsn before = *parse_lsn(judged.server().value("select pg_current_wal_flush_lsn()"));
  judged.server().kill();
  std::ofstream(judged.server().data() / "standby.signal");
  judged.server().start();
  judged.run({"select pg_promote()"});
  judged.run({"insert into t select generate_series(501, 900)", "vacuum (freeze) t",
              "select pg_switch_wal()", "delete from t where id <= 100"});
  const lsn after = judged.mark();
  judged.ingest();

  const auto ends = judged.find(before, after, {"rmgr: XLOG", "END_OF_RECOVERY"});
  ASSERT_EQ(ends.size(), 1u);
  const auto timeline_at = [&](lsn mark) {
    const layers::view at = judged.view(mark);
    return static_cast<uint32_t>(
        backup::control_at(at, at.until()).value().last_checkpoint.timeline);
  };
  EXPECT_EQ(timeline_at(before), 1u);
  EXPECT_EQ(timeline_at(ends[0].end), 2u);
  EXPECT_EQ(timeline_at(after), 2u);
  for (const lsn mark : {before, ends[0].end, after}) judged.expect_recovery_agrees(mark);
  const auto expect_server = [&](lsn mark, const char* rows, const char* pg_timeline_id) {
    const auto server = judged.start_at(mark);
    EXPECT_EQ(server->value("select count(*) from t"), rows);
    EXPECT_EQ(server->value("select timeline_id from pg_control_checkpoint()"), pg_timeline_id);
  };
  expect_server(before, "500", "2");
  expect_server(ends[0].end, "500", "3");
  expect_server(after, "800", "3");
}

struct wal_segment_sizes : ::testing::TestWithParam<int> {};

TEST_P(wal_segment_sizes, other_than_16_mib_are_read_written_and_started_from) {
  const std::string size = std::to_string(GetParam());
  judged_server judged{{{"--wal-segsize=" + size}, {}}};
  judged.server().start();
  judged.run({"create table t (id int primary key, v text)"});
  judged.take_base();
  ASSERT_EQ(judged.segment_size_bytes(), static_cast<uint32_t>(GetParam()) << 20);
  judged.run({"insert into t select i, repeat('x', 500) from generate_series(1, 3000) i"});
  const lsn first = judged.mark();
  judged.run({"select pg_switch_wal()", "delete from t where id % 2 = 0", "vacuum t"});
  const lsn second = judged.mark();
  judged.ingest();

  EXPECT_GT(second.value() / judged.segment_size_bytes(),
            judged.base().value() / judged.segment_size_bytes());
  for (const lsn mark : {first, second}) judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(second);
  EXPECT_EQ(server->value("show wal_segment_size"), size + "MB");
  EXPECT_EQ(server->value("select count(*) from t"), "1500");
  server->execute("select pg_switch_wal()");
  server->execute("insert into t values (4000, 'new')");
  server->kill();
  server->start();
  EXPECT_EQ(server->value("select count(*) from t"), "1501");
}

INSTANTIATE_TEST_SUITE_P(mib, wal_segment_sizes, ::testing::Values(1, 64),
                         [](const auto& size) { return std::to_string(size.param); });

}  // namespace
}  // namespace zenith
