// verify: a directory equals itself, one damaged byte is found where it is, and what is refused.
#include "storage/backup/verify.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/file_names.hpp"
#include "tests/support/files.hpp"
#include "tests/support/map_view.hpp"
#include "tests/support/worked_cluster.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::import_to_map;
using testing::postgres_server;

void flip_byte(const fs::path& name, uint64_t offset) {
  std::fstream file(name, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(offset));
  const char flipped = static_cast<char>(file.get() ^ 0x55);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(flipped);
  ASSERT_TRUE(file.good()) << name;
}

result<verify_report> verify_at_base(const testing::imported_map& imported, const fs::path& data) {
  return verify(imported.view(), imported.cluster.base, posix_file_system(), data);
}

std::string text_of(const verify_report& report) {
  std::string text;
  for (const mismatch& one : report.mismatches)
    text += one.file + " block " + std::to_string(one.block) + " offset " +
            std::to_string(one.offset) + " " + one.what + "\n";
  return text;
}

// The number of bytes at the end of a page that no mask touches, in a table or an index.
constexpr uint64_t last_tuple_byte = page_size_bytes - 60;

TEST(verify, a_directory_equals_itself_and_a_flipped_byte_is_found_where_it_is) {
  testing::worked_cluster cluster;
  cluster.server().start();
  const auto path_of = [&](const char* relation) {
    return cluster.server().value(std::string{"select pg_relation_filepath('"} + relation + "')");
  };
  const std::string table = path_of("accounts");
  const std::string btree = path_of("accounts_pkey");
  const std::string unlogged = path_of("scratch");
  const std::string unlogged_index = path_of("scratch_pkey");
  const std::string far = path_of("far");
  const std::string sequence = path_of("documents_id_seq");
  const std::string next_xid = cluster.server().value("select pg_current_xact_id()");
  cluster.server().stop();
  const fs::path data = cluster.data();
  const auto imported = import_to_map(data);

  const auto same = verify_at_base(imported, data);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_TRUE(same->ok()) << text_of(*same);
  EXPECT_GT(same->relations, 800u);
  EXPECT_GT(same->pages, 2000u);

  std::string prepared;
  for (const auto& entry : fs::directory_iterator(data / "pg_twophase"))
    prepared = "pg_twophase/" + entry.path().filename().string();
  struct damage {
    std::string file;
    block_number block;
    uint32_t offset;
  };
  const auto xid = static_cast<uint32_t>(std::stoul(next_xid));
  const std::vector<damage> damages{
      {table, 3, last_tuple_byte},
      {table, 0, 17},  // the header's pd_special
      {btree, 0, 24},  // the meta page's magic
      {btree, 2, page_size_bytes - 100},
      {table + "_vm", 0, 24},
      {unlogged_index + "_init", 0, 24},
      {far, 1, last_tuple_byte},
      {sequence, 0, page_size_bytes - 30},
      {"global/1262", 0, last_tuple_byte},
      {"pg_xact/0000", 0, xid / 4 - 1},
      {"pg_multixact/offsets/0000", 0, 4},
      {"pg_multixact/members/0000", 0, 1},
      {"pg_multixact/members/0000", 0, 8},
      {"base/5/pg_filenode.map", 0, 40},
      {"global/pg_filenode.map", 0, 505},
      {prepared, 0, 30},
  };
  for (const damage& one : damages) {
    SCOPED_TRACE(one.file + " block " + std::to_string(one.block));
    const uint64_t at = uint64_t{one.block} * page_size_bytes + one.offset;
    flip_byte(data / one.file, at);
    const auto report = verify_at_base(imported, data);
    flip_byte(data / one.file, at);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->ok());
    ASSERT_EQ(report->mismatch_count, 1u) << text_of(*report);
    EXPECT_EQ(report->mismatches[0].file, one.file);
    EXPECT_EQ(report->mismatches[0].block, one.block);
    EXPECT_EQ(report->mismatches[0].offset, one.offset);
  }
  // What means nothing: a checksum, an LSN, a hint bit, and what lies past the next xid.
  for (const damage& one : {damage{table, 3, 8}, damage{table, 3, 2}, damage{table + "_vm", 0, 9},
                            damage{"pg_xact/0000", 0, 8000}, damage{unlogged, 0, 500},
                            damage{table + "_fsm", 0, 100}}) {
    flip_byte(data / one.file, uint64_t{one.block} * page_size_bytes + one.offset);
    const auto report = verify_at_base(imported, data);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->ok()) << text_of(*report);
  }
}

TEST(verify, missing_and_surplus_files_and_blocks_are_mismatches_but_for_zeros_at_an_end) {
  testing::temporary_directory directory;
  postgres_server server{directory, postgres_server::options{}};
  server.start();
  server.execute("create table t as select i, repeat('x', 100) from generate_series(1, 500) i");
  const std::string table = server.value("select pg_relation_filepath('t')");
  server.stop();
  const fs::path data = server.data();
  const auto imported = import_to_map(data);
  const auto size = fs::file_size(data / table);
  fs::resize_file(data / table, size + 3 * page_size_bytes);
  auto report = verify_at_base(imported, data);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->ok()) << text_of(*report);
  flip_byte(data / table, size + page_size_bytes + 5);
  report = verify_at_base(imported, data);
  ASSERT_EQ(report->mismatch_count, 1u);
  EXPECT_EQ(report->mismatches[0].block, size / page_size_bytes + 1);
  fs::resize_file(data / table, size - 2 * page_size_bytes);
  report = verify_at_base(imported, data);
  ASSERT_EQ(report->mismatch_count, 2u) << text_of(*report);
  EXPECT_EQ(report->mismatches[0].block, size / page_size_bytes - 2);
  fs::remove(data / table);
  report = verify_at_base(imported, data);
  ASSERT_EQ(report->mismatch_count, 1u) << text_of(*report);
  EXPECT_EQ(report->mismatches[0].what, "is missing in the directory");
  fs::remove(data / "pg_xact/0000");
  verify_options few;
  few.mismatches_max = 1;
  report = verify(imported.view(), imported.cluster.base, posix_file_system(), data, few);
  EXPECT_EQ(report->mismatch_count, 2u);
  EXPECT_EQ(report->mismatches.size(), 1u);
}

TEST(verify, a_server_that_started_and_stopped_on_a_backup_still_equals_the_view) {
  testing::worked_cluster origin;
  const auto imported = import_to_map(origin.data());
  base_backup_options options;
  options.at = imported.cluster.base;
  options.previous_record = imported.cluster.last_record;
  options.timeline = pg_timeline{2};
  options.history = {{pg_timeline{1}, options.at}};
  const fs::path data = origin.directory() / "branch";
  auto sink = directory_sink::create(posix_file_system(), data, {});
  ASSERT_TRUE(sink);
  ASSERT_TRUE(write_base_backup(imported.view(), nullptr, options, **sink));
  auto report = verify_at_base(imported, data);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->ok()) << text_of(*report);
  postgres_server server{origin.directory(), data};
  server.start();
  server.execute("checkpoint");
  server.stop();
  report = verify_at_base(imported, data);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->ok()) << text_of(*report);
}

TEST(verify, a_directory_that_cannot_be_compared_is_refused) {
  testing::temporary_directory directory;
  postgres_server server{directory, postgres_server::options{}};
  const auto imported = import_to_map(server.data());
  const lsn later = imported.cluster.base + 4096;
  const auto older = verify(imported.view(later), later, posix_file_system(), server.data());
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, errc::conflict);
  EXPECT_NE(older.error().message.find("older than"), std::string::npos);
  server.start();
  server.kill();
  EXPECT_EQ(verify_at_base(imported, server.data()).error().code, errc::conflict);

  testing::temporary_directory elsewhere;
  postgres_server other{elsewhere, postgres_server::options{}};
  const auto foreign = verify_at_base(imported, other.data());
  EXPECT_EQ(foreign.error().code, errc::conflict);
  EXPECT_NE(foreign.error().message.find("not of this history"), std::string::npos);
}

}  // namespace
}  // namespace zenith::backup
