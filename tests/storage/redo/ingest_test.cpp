// What ingest says of records made by hand: those that a healthy server rarely or never writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "storage/postgres/control_file.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/redo/counters.hpp"
#include "storage/redo/unnamed_changes.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/clog.h>
#include <access/multixact.h>
#include <access/xact.h>
#include <access/xlog_internal.h>
#include <catalog/pg_control.h>
#include <catalog/storage_xlog.h>
#include <commands/dbcommands_xlog.h>
#include <commands/tablespace.h>
#include <replication/origin.h>
#include <storage/fsm_internals.h>
#include <storage/standbydefs.h>
#include <utils/relmapper.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::testing {
namespace {

using rm = pg::resource_manager;
constexpr relation_id relation{1663, 5, 16384};

ControlFileData control_of(const memory_sink& sink) {
  return load<ControlFileData>(sink.value(key::control()).value().data());
}

TEST(counters, transaction_ids_advance_through_the_end_of_an_epoch) {
  using redo::past_transaction_id;
  EXPECT_EQ(past_transaction_id(1000, 999), 1000u);
  EXPECT_EQ(past_transaction_id(1000, 1000), 1001u);
  EXPECT_EQ(past_transaction_id(1000, 5000), 5001u);
  EXPECT_EQ(past_transaction_id(1000, 0), 1000u) << "no transaction";
  EXPECT_EQ(past_transaction_id(1000, 2), 1000u) << "FrozenTransactionId";
  // The last id of an epoch is followed by 3 of the next one.
  EXPECT_EQ(past_transaction_id(0x7FFFFFFFF, 0xFFFFFFFF), 0x800000003u);
  EXPECT_EQ(past_transaction_id(0x7FFFFFFF0, 5), 0x800000006u);
  // One from before the end of the epoch is old.
  EXPECT_EQ(past_transaction_id(0x800000003, 0xFFFFFFFF), 0x800000003u);
}

TEST(ingest, a_block_past_the_end_extends_its_fork_or_makes_it) {
  memory_sink sink;
  made_record record(rm::btree, 0);
  record.block(0, relation, 7)
      .will_init()
      .block(1, relation, 3)
      .block(2, relation, 0, fork_number::vm);
  ASSERT_TRUE(sink.replay(record));
  EXPECT_EQ(sink.blocks(relation, fork_number::main), 8u);
  EXPECT_EQ(sink.blocks(relation, fork_number::vm), 1u);
  EXPECT_EQ(sink.counts().put_relations, 2u) << "once a fork";
  made_record again(rm::btree, 0, lsn{0x2000});
  again.block(0, relation, 5);
  ASSERT_TRUE(sink.replay(again));
  EXPECT_EQ(sink.blocks(relation, fork_number::main), 8u);
  EXPECT_EQ(sink.counts().put_relations, 2u) << "nothing changed";
}

TEST(ingest, pages_of_an_unknown_resource_manager_cannot_be_read_and_nothing_else_is_lost) {
  memory_sink sink;
  made_record record(static_cast<rm>(200), 0);
  record.block(0, relation, 1);
  const auto done = sink.replay(record);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::unsupported);
  EXPECT_NE(done.error().message.find("resource manager 200"), std::string::npos);
  EXPECT_TRUE(redo::unnamed_changes(record).empty());
  const auto unknown = sink.read_block(relation, fork_number::main, 1);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, errc::unsupported);
  EXPECT_TRUE(sink.read_block(relation, fork_number::main, 0));
  EXPECT_EQ(sink.number(key::next_full_xid()), 1001u);
}

TEST(ingest, a_block_that_no_fork_can_have_is_refused) {
  memory_sink sink;
  made_record record(rm::heap, 0);
  record.block(0, relation, InvalidBlockNumber);
  const auto done = sink.replay(record);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::corrupt);
}

TEST(ingest, a_hint_without_an_image_changes_nothing) {
  memory_sink sink;
  made_record record(rm::xlog, XLOG_FPI_FOR_HINT);
  record.block(0, relation, 1);
  ASSERT_TRUE(sink.replay(record));
  EXPECT_EQ(sink.counts().put_records, 0u);
  EXPECT_EQ(sink.blocks(relation, fork_number::main), std::nullopt);
}

TEST(ingest, a_status_on_a_page_that_was_cut_off_starts_from_zeros) {
  memory_sink sink;
  auto record = record_of(rm::transaction, XLOG_XACT_COMMIT, int64_t{77});
  record.xid(40001);
  ASSERT_TRUE(sink.replay(record));
  const bytes page_bytes = sink.value(key::slru(slru_kind::xact, 1)).value();
  const uint32_t entry = 40001 - 32768;
  EXPECT_EQ(page_bytes[entry / 4], std::byte{TRANSACTION_STATUS_COMMITTED << (entry % 4 * 2)});
  EXPECT_EQ(std::count(page_bytes.begin(), page_bytes.end(), std::byte{0}), 8191);
  EXPECT_EQ(sink.counts().last_transaction_end_us, 77);
}

TEST(ingest, limits_of_an_online_checkpoint_do_not_go_back) {
  memory_sink sink;
  xl_clog_truncate truncate{0, 5000, 7};
  ASSERT_TRUE(sink.replay(record_of(rm::clog, CLOG_TRUNCATE, truncate)));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestXid, 5000u);
  CheckPoint checkpoint{};
  checkpoint.oldestXid = 4000;
  checkpoint.oldestXidDB = 1;
  checkpoint.nextXid.value = 900;
  checkpoint.nextOid = 70000;
  ASSERT_TRUE(sink.replay(record_of(rm::xlog, XLOG_CHECKPOINT_ONLINE, checkpoint, lsn{0x2000})));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestXid, 5000u);
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestXidDB, 7u);
  EXPECT_EQ(control_of(sink).checkPoint, 0x2000u);
  EXPECT_EQ(sink.number(key::next_full_xid()), 1001u);
  EXPECT_EQ(sink.number(key::next_oid()), 16384u) << "an online checkpoint's OID may be stale";
  ASSERT_TRUE(sink.replay(record_of(rm::xlog, XLOG_CHECKPOINT_SHUTDOWN, checkpoint, lsn{0x3000})));
  EXPECT_EQ(control_of(sink).checkPointCopy.oldestXid, 4000u);
  EXPECT_EQ(sink.number(key::next_full_xid()), 900u) << "a shutdown checkpoint is believed";
  EXPECT_EQ(sink.number(key::next_oid()), 70000u);
}

TEST(ingest, the_end_of_recovery_sets_the_timeline_and_the_end_of_a_backup_its_state) {
  memory_sink sink;
  pg::control_file control;
  control.backup_start = lsn{0x500};
  control.backup_end_required = true;
  sink.set_value(key::control(), pg::encode_control_data(control));
  xl_end_of_recovery end{};
  end.ThisTimeLineID = 9;
  end.PrevTimeLineID = 8;
  ASSERT_TRUE(sink.replay(record_of(rm::xlog, XLOG_END_OF_RECOVERY, end)));
  EXPECT_EQ(control_of(sink).checkPointCopy.ThisTimeLineID, 9u);
  EXPECT_EQ(control_of(sink).checkPointCopy.PrevTimeLineID, 8u);
  ASSERT_TRUE(sink.replay(record_of(rm::xlog, XLOG_BACKUP_END, uint64_t{0x400})));
  EXPECT_EQ(control_of(sink).backupStartPoint, 0x500u) << "another backup's end";
  ASSERT_TRUE(sink.replay(record_of(rm::xlog, XLOG_BACKUP_END, uint64_t{0x500})));
  EXPECT_EQ(control_of(sink).backupStartPoint, 0u);
  EXPECT_FALSE(control_of(sink).backupEndRequired);
  const auto stored = sink.value(key::control()).value();
  EXPECT_EQ(control_of(sink).crc, crc32c(byte_view(stored).first(offsetof(ControlFileData, crc))));
}

TEST(ingest, a_truncation_clears_the_free_space_map_s_tail_up_to_its_root) {
  memory_sink sink;
  sink.set_relation(relation, fork_number::main, 100);
  sink.set_relation(relation, fork_number::fsm, 3);
  page map;
  std::byte* nodes = map.begin() + 24 + offsetof(FSMPageData, fp_nodes);
  store(map.begin() + 14, uint16_t{8192});  // pd_upper: not a new page
  nodes[NonLeafNodesPerPage + 10] = std::byte{30};
  nodes[NonLeafNodesPerPage + 90] = std::byte{200};
  sink.set_block(key::block(relation, fork_number::fsm, 2), map);
  const xl_smgr_truncate truncate{50, {1663, 5, 16384}, SMGR_TRUNCATE_ALL};
  ASSERT_TRUE(sink.replay(record_of(rm::storage, XLOG_SMGR_TRUNCATE, truncate)));
  EXPECT_EQ(sink.blocks(relation, fork_number::main), 50u);
  auto cleared = sink.read_block(relation, fork_number::fsm, 2);
  ASSERT_TRUE(cleared);
  nodes = cleared->begin() + 24 + offsetof(FSMPageData, fp_nodes);
  EXPECT_EQ(nodes[NonLeafNodesPerPage + 10], std::byte{30});
  EXPECT_EQ(nodes[NonLeafNodesPerPage + 90], std::byte{0});
  EXPECT_EQ(nodes[0], std::byte{30});
}

TEST(ingest, a_truncation_initialises_a_map_page_of_zeros_whose_tail_it_clears) {
  memory_sink sink;
  sink.set_relation(relation, fork_number::main, 100);
  sink.set_relation(relation, fork_number::vm, 1);
  sink.set_relation(relation, fork_number::fsm, 3);
  sink.set_block(key::block(relation, fork_number::vm, 0), page{});
  sink.set_block(key::block(relation, fork_number::fsm, 2), page{});
  const xl_smgr_truncate truncate{50, {1663, 5, 16384}, SMGR_TRUNCATE_ALL};
  ASSERT_TRUE(sink.replay(record_of(rm::storage, XLOG_SMGR_TRUNCATE, truncate)));
  page empty;
  pg::page_init(empty, 0);
  EXPECT_EQ(sink.read_block(relation, fork_number::vm, 0)->data, empty.data);
  EXPECT_EQ(sink.read_block(relation, fork_number::fsm, 2)->data, empty.data);
}

TEST(ingest, a_cut_block_that_grows_again_is_zeros) {
  memory_sink sink;
  sink.set_relation(relation, fork_number::main, 3);
  page content;
  content.data.fill(std::byte{1});
  for (const block_number block : {0u, 1u, 2u})
    sink.set_block(key::block(relation, fork_number::main, block), content);
  const xl_smgr_truncate truncate{1, {1663, 5, 16384}, SMGR_TRUNCATE_ALL};
  ASSERT_TRUE(sink.replay(record_of(rm::storage, XLOG_SMGR_TRUNCATE, truncate)));
  made_record grows(rm::btree, 0, lsn{0x2000});
  grows.block(0, relation, 2).will_init();
  ASSERT_TRUE(sink.replay(grows));
  EXPECT_EQ(sink.blocks(relation, fork_number::main), 3u);
  EXPECT_EQ(sink.read_block(relation, fork_number::main, 0)->data, content.data);
  EXPECT_EQ(sink.read_block(relation, fork_number::main, 1)->data, page{}.data);
}

TEST(ingest, a_counter_that_is_missing_is_an_error_not_a_zero) {
  memory_sink sink;
  sink.put_absent(key::next_full_xid());
  const auto done = sink.replay(record_of(rm::transaction, XLOG_XACT_COMMIT, int64_t{1}));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, errc::corrupt);
  EXPECT_NE(done.error().message.find("Transaction/COMMIT at 0/1000"), std::string::npos)
      << done.error().message;
}

/// One record of each kind that has main data, whole.
std::vector<made_record> samples() {
  std::vector<made_record> all;
  all.push_back(record_of(rm::xlog, XLOG_CHECKPOINT_ONLINE, CheckPoint{}));
  all.push_back(record_of(rm::xlog, XLOG_PARAMETER_CHANGE, xl_parameter_change{}));
  all.push_back(record_of(rm::xlog, XLOG_NEXTOID, uint32_t{1}));
  made_record commit(rm::transaction, XLOG_XACT_COMMIT | XLOG_XACT_HAS_INFO);
  commit.main(int64_t{5})
      .main(uint32_t{XACT_XINFO_HAS_DBINFO | XACT_XINFO_HAS_SUBXACTS | XACT_XINFO_HAS_RELFILENODES |
                     XACT_XINFO_HAS_INVALS | XACT_XINFO_HAS_TWOPHASE | XACT_XINFO_HAS_GID |
                     XACT_XINFO_HAS_ORIGIN})
      .main(uint64_t{0})
      .main(uint32_t{2})
      .main(uint32_t{1001})
      .main(uint32_t{1002})
      .main(uint32_t{1})
      .main(relation)
      .main(uint32_t{1})
      .main(std::array<std::byte, 16>{})
      .main(uint32_t{999})
      .main(uint32_t{'x'})
      .main(std::array<std::byte, 16>{});
  all.push_back(std::move(commit));
  all.push_back(record_of(rm::storage, XLOG_SMGR_CREATE, xl_smgr_create{}));
  all.push_back(record_of(rm::storage, XLOG_SMGR_TRUNCATE, xl_smgr_truncate{}));
  all.push_back(record_of(rm::clog, CLOG_TRUNCATE, xl_clog_truncate{}));
  all.push_back(record_of(rm::database, XLOG_DBASE_CREATE_FILE_COPY,
                          xl_dbase_create_file_copy_rec{1, 2, 3, 4}));
  made_record drop(rm::database, XLOG_DBASE_DROP);
  drop.main(uint32_t{5}).main(uint32_t{2}).main(uint64_t{0});
  all.push_back(std::move(drop));
  all.push_back(record_of(rm::tablespace, XLOG_TBLSPC_CREATE, uint64_t{77}));
  all.push_back(multixact_of(10, 20, 3, lsn{0x1000}));
  all.push_back(record_of(rm::multixact, XLOG_MULTIXACT_TRUNCATE_ID, xl_multixact_truncate{}));
  bytes map_file(512);  // relmapper.c, RelMapFile: magic, no mappings, CRC
  store(map_file.data(), uint32_t{0x592717});
  store(map_file.data() + 504, crc32c(byte_view(map_file).first(504)));
  made_record map(rm::relmap, XLOG_RELMAP_UPDATE);
  map.main(uint32_t{1}).main(uint32_t{2}).main(uint32_t{512});
  map.main(load<std::array<std::byte, 512>>(map_file.data()));
  all.push_back(std::move(map));
  made_record running(rm::standby, XLOG_RUNNING_XACTS);
  running.main(std::array<uint32_t, 6>{0, 0, 0, 1010, 1000, 1009});
  all.push_back(std::move(running));
  all.push_back(record_of(rm::replication_origin, XLOG_REPLORIGIN_SET, xl_replorigin_set{}));
  return all;
}

TEST(ingest, a_record_cut_anywhere_is_an_error_or_a_shorter_record) {
  for (auto& sample : samples()) {
    memory_sink whole;
    auto& record = sample.get();
    ASSERT_TRUE(whole.replay(record)) << pg::describe(record);
    const auto main = record.main_data;
    for (size_t size = 0; size < main.size(); ++size) {
      // A copy of its own, so that a read past the end is found by the sanitizer.
      const bytes cut(main.begin(), main.begin() + static_cast<ptrdiff_t>(size));
      record.main_data = cut;
      memory_sink sink;
      const auto done = sink.replay(record);
      if (size == 0) {
        EXPECT_FALSE(done) << pg::describe(record);
      }
    }
  }
}

TEST(ingest, any_bytes_at_all_are_an_error_or_a_record) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (auto& sample : samples()) {
    auto& record = sample.get();
    const bytes original(record.main_data.begin(), record.main_data.end());
    for (int round = 0; round < 300; ++round) {
      bytes changed = original;
      for (int i = 0; i < 3; ++i)
        changed[random() % changed.size()] = std::byte{static_cast<uint8_t>(random())};
      record.main_data = changed;
      record.info = static_cast<uint8_t>(round % 3 == 0 ? random() : record.info);
      memory_sink sink;
      static_cast<void>(sink.replay(record));
      page p;
      for (const key& k :
           {key::slru(slru_kind::xact, 0), key::slru(slru_kind::commit_ts, 1),
            key::slru(slru_kind::multixact_offsets, 0), key::slru(slru_kind::multixact_members, 0),
            key::block(relation, fork_number::fsm, 2), key::block(relation, fork_number::vm, 0)})
        static_cast<void>(redo::apply(record, k, p));
    }
  }
}

}  // namespace
}  // namespace zenith::testing
