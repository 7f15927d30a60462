// Records that a fuzzer made, each of which was once misread; one test for each find.
#include <gtest/gtest.h>

#include "storage/postgres/control_file.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/redo_records.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/xlog_internal.h>
#include <catalog/pg_control.h>
#include <catalog/storage_xlog.h>
#include <commands/dbcommands_xlog.h>
#include <replication/origin.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::testing {
namespace {

using rm = pg::resource_manager;

/// A record whose main data is this structure, with another value in one of its bytes.
template <class T>
made_record record_with_byte(rm rmgr, uint8_t info, const T& main, size_t offset, uint8_t value) {
  std::array<std::byte, sizeof(T)> raw;
  std::memcpy(raw.data(), &main, sizeof(T));
  raw[offset] = static_cast<std::byte>(value);
  made_record record(rmgr, info);
  record.main(raw);
  return record;
}

TEST(hostile_record, any_byte_but_zero_forces_a_replication_origin_back) {
  memory_sink sink;
  sink.set_value(key::replication_origin(7), bytes(8, std::byte{0x11}));
  const auto record =
      record_with_byte(rm::replication_origin, XLOG_REPLORIGIN_SET, xl_replorigin_set{5, 7, false},
                       offsetof(xl_replorigin_set, force), 72);
  ASSERT_TRUE(sink.replay(record));
  EXPECT_EQ(sink.number(key::replication_origin(7)), 5u);
}

TEST(hostile_record, any_byte_but_zero_switches_a_parameter_on) {
  for (const size_t flag : {offsetof(xl_parameter_change, wal_log_hints),
                            offsetof(xl_parameter_change, track_commit_timestamp)}) {
    memory_sink sink;
    ASSERT_TRUE(sink.replay(
        record_with_byte(rm::xlog, XLOG_PARAMETER_CHANGE, xl_parameter_change{}, flag, 0x80)));
    const auto control = pg::decode_control_file(*sink.value(key::control()));
    ASSERT_TRUE(control);
    EXPECT_EQ(control->wal_log_hints, flag == offsetof(xl_parameter_change, wal_log_hints));
    EXPECT_EQ(control->track_commit_timestamp,
              flag == offsetof(xl_parameter_change, track_commit_timestamp));
  }
}

TEST(hostile_record, a_fork_that_does_not_exist_is_not_created) {
  for (const int32_t fork : {-1, 4, 1663, INT32_MIN, INT32_MAX}) {
    made_record record(rm::storage, XLOG_SMGR_CREATE);
    record.main(std::array<uint32_t, 3>{1663, 5, 16384}).main(fork);
    memory_sink sink;
    const auto done = sink.replay(record);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("there is no fork " + std::to_string(fork)),
              std::string::npos);
    EXPECT_EQ(sink.counts().put_relations, 0u);
  }
}

TEST(hostile_record, a_high_block_makes_a_visibility_map_of_few_versions) {
  const relation_id table{1663, 5, 16384};
  remembering_sink sink;
  sink.values[key::next_full_xid()] = bytes(8, std::byte{1});
  made_record record(rm::heap, XLOG_HEAP_INSERT);
  record.block(0, table, UINT32_MAX - 1)
      .data(bytes(8))
      .main(xl_heap_insert{1, XLH_INSERT_ALL_VISIBLE_CLEARED}, SizeOfHeapInsert);
  const auto done = redo::ingest(record, sink);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_GT(sink.relations[key::size(table, fork_number::vm)]->blocks(), 100'000u);
  EXPECT_LT(sink.records.size(), 10u);
}

TEST(hostile_record, a_database_with_the_longest_fork_there_is_is_copied_by_one_version) {
  const relation_id source{1663, 5, 16384}, copy{1663, 6, 16384};
  constexpr block_number last = UINT32_MAX - 1;
  remembering_sink sink;
  sink.values[key::next_full_xid()] = bytes(8, std::byte{1});
  sink.relations[key::size(source, fork_number::main)] = relation_state::of_base(last + 1);
  sink.values[key::size(source, fork_number::main)] = bytes{};  // so that it is listed
  made_record record(rm::database, XLOG_DBASE_CREATE_FILE_COPY);
  record.main(xl_dbase_create_file_copy_rec{6, 1663, 5, 1663});
  const auto done = redo::ingest(record, sink);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(sink.relations[key::size(copy, fork_number::main)]->blocks(), last + 1);
  EXPECT_TRUE(sink.values.contains(key::all_blocks(copy, fork_number::main)));
  EXPECT_LT(sink.values.size(), 10u);
}

}  // namespace
}  // namespace zenith::testing
