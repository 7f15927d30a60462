// What records do to SLRUs, databases and switches at the rare ends of what they can say.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/postgres/control_file.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/clog.h>
#include <access/commit_ts.h>
#include <access/multixact.h>
#include <access/xact.h>
#include <access/xlog_internal.h>
#include <catalog/pg_control.h>
#include <catalog/storage_xlog.h>
#include <commands/dbcommands_xlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::testing {
namespace {

using rm = pg::resource_manager;

uint32_t number_at(const memory_sink& sink, const key& k, size_t offset) {
  return load<uint32_t>(sink.value(k).value().data() + offset);
}

ControlFileData control_of(const memory_sink& sink) {
  return load<ControlFileData>(sink.value(key::control()).value().data());
}

TEST(state_ingest, an_old_server_s_last_multixact_of_a_page_makes_the_next_page) {
  // RecordNewMultiXact writes the next one's offset; older minor releases zero its page later.
  memory_sink sink;
  const key first = key::slru(slru_kind::multixact_offsets, 0);
  const key second = key::slru(slru_kind::multixact_offsets, 1);
  sink.set_value(first, bytes(page_size_bytes));
  ASSERT_TRUE(sink.replay(multixact_of(2047, 100, 3, lsn{0x1000})));
  EXPECT_EQ(number_at(sink, first, 2047 * 4), 100u);
  EXPECT_EQ(number_at(sink, second, 0), 103u);
  // The page's own record must not lose that offset.
  ASSERT_TRUE(sink.replay(
      record_of(rm::multixact, XLOG_MULTIXACT_ZERO_OFF_PAGE, uint32_t{1}, lsn{0x2000})));
  EXPECT_EQ(number_at(sink, second, 0), 103u);
  ASSERT_TRUE(sink.replay(multixact_of(2048, 103, 2, lsn{0x3000})));
  EXPECT_EQ(number_at(sink, second, 4), 105u);
  EXPECT_EQ(number_at(sink, key::next_multixact(), 0), 2049u);
  EXPECT_EQ(number_at(sink, key::next_multixact(), 4), 105u);
  EXPECT_EQ(sink.number(key::next_full_xid()), 2003u) << "past the members";
}

TEST(state_ingest, multixacts_go_round_their_number_space) {
  memory_sink sink;
  bytes next(8);
  store(next.data(), UINT32_MAX);
  store(next.data() + 4, UINT32_MAX - 1);
  sink.set_value(key::next_multixact(), next);
  ASSERT_TRUE(sink.replay(multixact_of(UINT32_MAX, UINT32_MAX - 1, 2, lsn{0x1000})));
  const key last = key::slru(slru_kind::multixact_offsets, UINT32_MAX / 2048);
  EXPECT_EQ(number_at(sink, last, 2047 * 4), UINT32_MAX - 1);
  // The next one is 1, and its members begin at 1: neither 0 is used.
  EXPECT_EQ(number_at(sink, key::slru(slru_kind::multixact_offsets, 0), 4), 1u);
  const key members = key::slru(slru_kind::multixact_members, UINT32_MAX / 1636);
  const uint32_t group = (UINT32_MAX / 4) % 409 * 20;
  EXPECT_EQ(number_at(sink, members, group + 4 + 2 * 4), 2000u);
  EXPECT_EQ(number_at(sink, members, group + 4 + 3 * 4), 2001u);
}

TEST(state_ingest, an_old_server_s_last_multixact_of_all_makes_the_first_page_once) {
  memory_sink sink;
  bytes next(8);
  store(next.data(), UINT32_MAX);
  store(next.data() + 4, uint32_t{100});
  sink.set_value(key::next_multixact(), next);
  ASSERT_TRUE(sink.replay(multixact_of(UINT32_MAX, 100, 3, lsn{0x1000})));
  EXPECT_EQ(number_at(sink, key::next_multixact(), 0), 0u) << "as in the server's own counter";
  const key first = key::slru(slru_kind::multixact_offsets, 0);
  EXPECT_EQ(number_at(sink, first, 4), 103u);
  ASSERT_TRUE(sink.replay(
      record_of(rm::multixact, XLOG_MULTIXACT_ZERO_OFF_PAGE, uint32_t{0}, lsn{0x2000})));
  EXPECT_EQ(number_at(sink, first, 4), 103u);
}

TEST(state_ingest, members_are_truncated_across_the_end_of_their_number_space) {
  // multixact.c, PerformMembersTruncation: whole segments of 32 pages of 1636 members.
  memory_sink sink;
  constexpr uint32_t last_page = UINT32_MAX / 1636;
  constexpr uint32_t last_segment = last_page / 32;
  for (const uint32_t page_number :
       {(last_segment - 1) * 32, last_segment * 32, last_page, 0u, 31u, 32u, 64u})
    sink.set_value(key::slru(slru_kind::multixact_members, page_number), bytes(page_size_bytes));
  xl_multixact_truncate truncate{};
  truncate.endTruncOff = 10;
  truncate.startTruncMemb = last_segment * 32 * 1636;
  truncate.endTruncMemb = 32 * 1636 + 5;
  ASSERT_TRUE(sink.replay(record_of(rm::multixact, XLOG_MULTIXACT_TRUNCATE_ID, truncate)));
  const auto has = [&sink](uint32_t page_number) {
    return sink.value(key::slru(slru_kind::multixact_members, page_number)).has_value();
  };
  EXPECT_TRUE(has((last_segment - 1) * 32)) << "before the first that goes";
  EXPECT_FALSE(has(last_segment * 32));
  EXPECT_FALSE(has(last_page));
  EXPECT_FALSE(has(0));
  EXPECT_FALSE(has(31));
  EXPECT_TRUE(has(32)) << "the segment of the new oldest member stays";
  EXPECT_TRUE(has(64));
}

TEST(state_ingest, statuses_are_truncated_across_the_end_of_the_transaction_ids) {
  // The oldest id is 40000 of the next epoch: what lies up to 2^31 before it goes.
  memory_sink sink;
  bytes next(8);
  store(next.data(), uint64_t{7} << 32 | 200'000);
  sink.set_value(key::next_full_xid(), next);
  constexpr uint32_t pages = UINT32_MAX / 32768 + 1;
  for (const uint32_t page_number : {pages - 64, pages - 1, 0u, 31u, 32u, 40u})
    sink.set_value(key::slru(slru_kind::xact, page_number), bytes(page_size_bytes));
  const xl_clog_truncate truncate{33, 33 * 32768 + 7, 5};
  ASSERT_TRUE(sink.replay(record_of(rm::clog, CLOG_TRUNCATE, truncate)));
  const auto has = [&sink](uint32_t page_number) {
    return sink.value(key::slru(slru_kind::xact, page_number)).has_value();
  };
  EXPECT_TRUE(has(pages - 64)) << "the newest id is on page 6: apparent wraparound, nothing goes";
  store(next.data(), uint64_t{7} << 32 | 2'000'000);
  sink.set_value(key::next_full_xid(), next);
  ASSERT_TRUE(sink.replay(record_of(rm::clog, CLOG_TRUNCATE, truncate, lsn{0x2000})));
  EXPECT_FALSE(has(pages - 64));
  EXPECT_FALSE(has(pages - 1));
  EXPECT_FALSE(has(0));
  EXPECT_FALSE(has(31));
  EXPECT_TRUE(has(32)) << "its segment holds the cutoff page";
  EXPECT_TRUE(has(40));
}

TEST(state_ingest, a_database_is_dropped_from_each_tablespace_that_the_record_names) {
  memory_sink sink;
  for (const uint32_t tablespace : {1663u, 7000u, 7001u})
    for (const uint32_t database : {5u, 6u}) {
      sink.set_relation({tablespace, database, 100}, fork_number::main, 3);
      sink.set_relation({tablespace, database, 100}, fork_number::init, 1);
      sink.set_value(key::database(tablespace, database), {});
      sink.set_value(key::relation_map(tablespace, database), bytes(512));
    }
  made_record drop(rm::database, XLOG_DBASE_DROP);
  drop.main(uint32_t{5}).main(uint32_t{2}).main(uint32_t{1663}).main(uint32_t{7001});
  ASSERT_TRUE(sink.replay(drop));
  for (const uint32_t tablespace : {1663u, 7000u, 7001u})
    for (const uint32_t database : {5u, 6u}) {
      const bool kept = database == 6 || tablespace == 7000;
      const relation_id one{tablespace, database, 100};
      EXPECT_EQ(sink.blocks(one, fork_number::main).has_value(), kept) << to_string(one);
      EXPECT_EQ(sink.blocks(one, fork_number::init).has_value(), kept) << to_string(one);
      EXPECT_EQ(sink.value(key::database(tablespace, database)).has_value(), kept);
      EXPECT_EQ(sink.value(key::relation_map(tablespace, database)).has_value(), kept);
    }
}

TEST(state_ingest, commit_timestamps_that_go_off_lose_all_pages_and_limits_and_begin_anew) {
  memory_sink sink;
  const auto switch_to = [&sink](bool on, lsn at) {
    xl_parameter_change change{};
    change.track_commit_timestamp = on;
    return sink.replay(record_of(rm::xlog, XLOG_PARAMETER_CHANGE, change, at));
  };
  ASSERT_TRUE(switch_to(true, lsn{0x1000}));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestCommitTsXid, sink.number(key::next_full_xid()));
  ASSERT_TRUE(sink.replay(
      record_of(rm::commit_ts, COMMIT_TS_ZEROPAGE, uint32_t{UINT32_MAX / 819}, lsn{0x2000})));
  ASSERT_TRUE(switch_to(false, lsn{0x3000}));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestCommitTsXid, 0u);
  EXPECT_EQ(control_of(sink).checkPointCopy.newestCommitTsXid, 0u);
  for (const auto& [k, value] : sink.values())
    EXPECT_FALSE(k.kind == key_kind::slru_page && k.slru_of() == slru_kind::commit_ts);
  // What ends while they are off leaves no time.
  ASSERT_TRUE(sink.replay(record_of(rm::transaction, XLOG_XACT_COMMIT, int64_t{9}, lsn{0x4000})));
  EXPECT_FALSE(sink.value(key::slru(slru_kind::commit_ts, 1000 / 819)));
  ASSERT_TRUE(switch_to(true, lsn{0x5000}));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestCommitTsXid, 1001u);
  EXPECT_EQ(control_of(sink).checkPointCopy.newestCommitTsXid, 1001u);
  EXPECT_EQ(sink.value(key::slru(slru_kind::commit_ts, 1001 / 819)), bytes(page_size_bytes));
}

TEST(state_ingest, a_truncation_at_the_end_of_a_map_page_leaves_that_page_whole) {
  // visibilitymap_prepare_truncate: a map page tells of 32672 heap blocks.
  constexpr relation_id relation{1663, 5, 16384};
  page full;
  full.data.fill(std::byte{0xFF});
  for (const block_number kept : {2u * 32672, 2u * 32672 + 1, 4u * 32672}) {
    memory_sink sink;
    sink.set_relation(relation, fork_number::main, 3 * 32672);
    sink.set_relation(relation, fork_number::vm, 3);
    for (const block_number block : {0u, 1u, 2u})
      sink.set_block(key::block(relation, fork_number::vm, block), full);
    const xl_smgr_truncate truncate{kept, {1663, 5, 16384}, SMGR_TRUNCATE_ALL};
    ASSERT_TRUE(sink.replay(record_of(rm::storage, XLOG_SMGR_TRUNCATE, truncate)));
    EXPECT_EQ(sink.blocks(relation, fork_number::main), std::min(kept, 3u * 32672));
    EXPECT_EQ(sink.blocks(relation, fork_number::vm), kept == 2 * 32672 ? 2u : 3u) << kept;
    EXPECT_EQ(sink.read_block(relation, fork_number::vm, 1)->data, full.data) << kept;
    if (kept == 2 * 32672) continue;
    const auto last = sink.read_block(relation, fork_number::vm, 2);
    ASSERT_TRUE(last);
    // The two bits of the one block that is kept; all of them where more is kept than there was.
    EXPECT_EQ(last->data[24], std::byte{kept == 2 * 32672 + 1 ? uint8_t{3} : uint8_t{0xFF}});
    EXPECT_EQ(last->data[25], std::byte{kept == 2 * 32672 + 1 ? uint8_t{0} : uint8_t{0xFF}});
  }
}

}  // namespace
}  // namespace zenith::testing
