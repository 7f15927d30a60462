// The small formats of a data directory: file names, history files, origins, configuration.
#include <gtest/gtest.h>

#include "storage/backup/configuration_files.hpp"
#include "storage/backup/data_directory.hpp"
#include "storage/backup/file_names.hpp"
#include "storage/backup/pg_history.hpp"
#include "storage/backup/replication_origins.hpp"

namespace zenith::backup {
namespace {

TEST(file_names, a_relations_files_are_named_as_postgresql_names_them) {
  EXPECT_EQ(data_directory::file_of({1663, 5, 16384}, fork_number::main, 7), "base/5/16384");
  EXPECT_EQ(data_directory::file_of({1663, 5, 16384}, fork_number::vm, 0), "base/5/16384_vm");
  EXPECT_EQ(data_directory::file_of({1664, 0, 1262}, fork_number::fsm, 0), "global/1262_fsm");
  EXPECT_EQ(data_directory::file_of({16400, 5, 9}, fork_number::main, 131072 * 3),
            "pg_tblspc/16400/PG_15_202209061/5/9.3");
}

TEST(file_names, names_are_read_back_and_others_are_not_taken_for_them) {
  for (const relation_file& file :
       {relation_file{1, fork_number::main, 0}, relation_file{4294967295u, fork_number::init, 0},
        relation_file{16384, fork_number::fsm, 12}, relation_file{16384, fork_number::main, 1}})
    EXPECT_EQ(parse_relation_file(to_string(file)), file) << to_string(file);
  for (const char* name : {"",
                           "PG_VERSION",
                           "pg_filenode.map",
                           "pg_internal.init",
                           "t3_16384",
                           "t3_16384_fsm",
                           "0",
                           "016384",
                           "16384_",
                           "16384_main",
                           "16384_xx",
                           "16384.",
                           "16384.0",
                           "16384.1_fsm",
                           "16384_fsm.x",
                           "4294967296",
                           "-1",
                           "1 ",
                           "pg_internal.init.4711",
                           "16384_vm_vm"})
    EXPECT_FALSE(parse_relation_file(name)) << name;
}

TEST(file_names, slru_and_two_phase_names_are_hexadecimal) {
  EXPECT_EQ(slru_file(slru_kind::xact, 0), "pg_xact/0000");
  EXPECT_EQ(slru_file(slru_kind::multixact_members, 0x14078), "pg_multixact/members/14078");
  EXPECT_EQ(parse_slru_file("14078"), 0x14078u);
  EXPECT_EQ(parse_slru_file("00AF"), 0xAFu);
  for (const char* name : {"", "000", "00af", "000G", "0000000", "0000.tmp"})
    EXPECT_FALSE(parse_slru_file(name)) << name;
  EXPECT_EQ(two_phase_file(0x2F1), "000002F1");
  EXPECT_EQ(parse_two_phase_file("000002F1"), 0x2F1u);
  EXPECT_FALSE(parse_two_phase_file("2F1"));
  EXPECT_EQ(history_file(pg_timeline{26}), "0000001A.history");
}

TEST(pg_history, is_read_back_and_comments_and_reasons_are_skipped) {
  const std::vector<past_pg_timeline> history{{pg_timeline{1}, lsn{0x3000000}},
                                              {pg_timeline{4}, lsn{0x1600000010}}};
  EXPECT_EQ(pg_history_text(history), "1\t0/3000000\tbranch\n4\t16/10\tbranch\n");
  EXPECT_EQ(*parse_pg_history(pg_history_text(history)), history);
  EXPECT_EQ(*parse_pg_history("# kept\n\n1\t0/3000000\tno recovery target specified\n"
                              "  4\t16/10\tbefore 2026-01-01\n"),
            history);
  EXPECT_TRUE(parse_pg_history("")->empty());
  for (const char* damaged : {"1\n", "x\t0/3000000\n", "1\t3000000\n", "2\t0/1\n1\t0/2\n"})
    EXPECT_EQ(parse_pg_history(damaged).error().code, errc::corrupt) << damaged;
}

TEST(replication_origins, are_read_back_and_every_flipped_byte_is_noticed) {
  const replication_origins origins{{1, lsn{0xABCDEF0}}, {65535, lsn{0x1600000010}}};
  const bytes file = encode(origins);
  EXPECT_EQ(file.size(), 8u + 2 * 16);
  EXPECT_EQ(*decode_replication_origins(file), origins);
  for (size_t i = 0; i < file.size(); ++i) {
    bytes damaged = file;
    damaged[i] ^= std::byte{0x40};
    EXPECT_EQ(decode_replication_origins(damaged).error().code, errc::corrupt) << i;
    EXPECT_EQ(decode_replication_origins(byte_view{file}.first(i)).error().code, errc::corrupt);
  }
}

TEST(configuration_files, are_read_back_and_a_name_is_needed) {
  const bytes stored = encode(configuration_file{"pg_hba.conf", "local all all trust\n"});
  const auto file = decode_configuration_file(stored);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->name, "pg_hba.conf");
  EXPECT_EQ(file->contents, "local all all trust\n");
  EXPECT_EQ(decode_configuration_file(as_bytes("pg_hba.conf")).error().code, errc::corrupt);
  EXPECT_EQ(decode_configuration_file({}).error().code, errc::corrupt);
}

}  // namespace
}  // namespace zenith::backup
