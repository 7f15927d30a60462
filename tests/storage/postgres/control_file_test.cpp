// pg_control: a real one survives the round trip, and what is not PostgreSQL 15's is refused.
#include "storage/postgres/control_file.hpp"

#include <gtest/gtest.h>

#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/sample_checkpoint.hpp"

namespace zenith::pg {
namespace {

using zenith::testing::read_file;
using zenith::testing::sample_checkpoint;

control_file sample() {
  control_file c;
  c.system = system_identifier{7412345678901234567};
  c.state = database_state::in_production;
  c.time_s = 1'763'000'001;
  c.checkpoint_record = lsn{0x2000060};
  c.last_checkpoint = sample_checkpoint();
  c.unlogged_lsn = lsn{1000};
  c.minimum_recovery_point = lsn{0x3000000};
  c.minimum_recovery_timeline = pg_timeline{2};
  c.backup_start = lsn{0x2000028};
  c.backup_end = lsn{0x2000100};
  c.backup_end_required = true;
  c.wal_level = 2;
  c.wal_log_hints = true;
  c.max_connections = 100;
  c.max_worker_processes = 8;
  c.max_wal_senders = 10;
  c.max_prepared_transactions = 20;
  c.max_locks_per_transaction = 64;
  c.track_commit_timestamp = true;
  c.wal_segment_size_bytes = 1024 * 1024;
  c.data_checksum_version = 1;
  c.mock_authentication_nonce.fill(std::byte{0x5A});
  return c;
}

std::string error_of(const bytes& stored) {
  const auto c = decode_control_file(stored);
  return c ? "" : c.error().message;
}
// The same bytes with one u32 changed and the CRC made to agree.
bytes with(bytes stored, size_t at, uint32_t value) {
  store(stored.data() + at, value);
  store(stored.data() + 288, crc32c(byte_view(stored).first(288)));
  return stored;
}

TEST(control_file, keeps_every_field) {
  const bytes stored = encode_control_file(sample());
  ASSERT_EQ(stored.size(), control_file_size_bytes);
  const auto c = decode_control_file(stored);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(*c, sample());
  EXPECT_EQ(decode_control_file(encode_control_data(sample())).value(), sample());
}

TEST(control_file, of_another_version_or_build_is_refused_with_what_was_found) {
  const bytes stored = encode_control_file(sample());
  const size_t crc_at = 288;
  ASSERT_EQ(load<uint32_t>(stored.data() + crc_at), crc32c(byte_view(stored).first(crc_at)));
  EXPECT_EQ(error_of(with(stored, 8, 1700)),
            "pg_control: its version is 1700, PostgreSQL 15 has 1300");
  EXPECT_EQ(error_of(with(stored, 12, 202107181)),
            "pg_control: its catalog version is 202107181, PostgreSQL 15 has 202209061");
  EXPECT_EQ(decode_control_file(with(stored, 8, 1700)).error().code, errc::unsupported);
  EXPECT_EQ(error_of(with(stored, 16, 9)), "pg_control: unknown state 9");
}

TEST(control_file, with_any_byte_changed_or_cut_short_is_refused) {
  const bytes stored = encode_control_data(sample());
  for (size_t at = 0; at < 292; ++at) {  // four bytes of padding follow the CRC
    bytes changed = stored;
    changed[at] ^= std::byte{0x10};
    EXPECT_FALSE(decode_control_file(changed)) << at;
  }
  for (size_t length = 0; length < stored.size(); ++length)
    EXPECT_FALSE(decode_control_file(byte_view(stored).first(length))) << length;
}

TEST(control_file, of_a_real_cluster_survives_the_round_trip_byte_for_byte) {
  zenith::testing::temporary_directory directory;
  zenith::testing::postgres_server server(directory, {.initdb = {"-k", "--wal-segsize=1"}});
  const auto path = server.data() / "global" / "pg_control";
  const auto matches_pg_controldata = [&] {
    const bytes stored = read_file(path);
    const auto c = decode_control_file(stored);
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(encode_control_file(*c), stored);
    const std::string said = zenith::testing::run_ok(
        {zenith::testing::pg_program("pg_controldata"), server.data().string()});
    const auto says = [&](const std::string& name, const std::string& value) {
      const size_t at = said.find(name + ":");
      ASSERT_NE(at, std::string::npos) << name;
      const std::string line = said.substr(at, said.find('\n', at) - at);
      EXPECT_TRUE(line.ends_with(" " + value)) << line << ", not " << value;
    };
    const checkpoint& last = c->last_checkpoint;
    says("Database system identifier", to_string(c->system));
    says("Latest checkpoint location", to_string(c->checkpoint_record));
    says("Latest checkpoint's REDO location", to_string(last.redo));
    says("Latest checkpoint's NextXID", std::to_string(last.next_full_xid >> 32) + ":" +
                                            std::to_string(last.next_full_xid & 0xFFFFFFFF));
    says("Latest checkpoint's NextOID", std::to_string(last.next_oid));
    says("Latest checkpoint's NextMultiXactId", std::to_string(last.next_multixact));
    says("Latest checkpoint's oldestXID", std::to_string(last.oldest_xid));
    says("Latest checkpoint's oldestXID's DB", std::to_string(last.oldest_xid_database));
    says("Fake LSN counter for unlogged rels", to_string(c->unlogged_lsn));
    says("max_connections setting", std::to_string(c->max_connections));
    says("max_locks_per_xact setting", std::to_string(c->max_locks_per_transaction));
    says("Bytes per WAL segment", std::to_string(c->wal_segment_size_bytes));
    says("Data page checksum version", std::to_string(c->data_checksum_version));
    says("track_commit_timestamp setting", c->track_commit_timestamp ? "on" : "off");
    EXPECT_EQ(c->state, database_state::shut_down);
  };
  matches_pg_controldata();
  server.start();
  server.execute("create table t as select 1");
  EXPECT_EQ(decode_control_file(read_file(path))->state, database_state::in_production);
  server.stop();
  matches_pg_controldata();
}

}  // namespace
}  // namespace zenith::pg
