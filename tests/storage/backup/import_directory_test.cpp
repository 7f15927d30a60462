// What a stopped server's data directory gives, and what is refused.
#include "storage/backup/import_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/backup/configuration_files.hpp"
#include "storage/backup/file_names.hpp"
#include "storage/base/relation_state.hpp"
#include "tests/support/files.hpp"
#include "tests/support/map_view.hpp"
#include "tests/support/worked_cluster.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::import_to_map;

// "Latest checkpoint location: 0/16B37D0" gives "0/16B37D0".
std::string control_value(const fs::path& data, const std::string& name) {
  const std::string text = testing::run_ok({testing::pg_program("pg_controldata"), data.string()});
  const size_t at = text.find("\n" + name + ":");
  if (at == text.npos) return {};
  const size_t begin = text.find_first_not_of(' ', at + name.size() + 2);
  return text.substr(begin, text.find('\n', begin) - begin);
}

void flip_byte(const fs::path& name, uint64_t offset) {
  std::fstream file(name, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(offset));
  const char flipped = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(flipped);
  ASSERT_TRUE(file.good());
}

result<imported_cluster> import_only(const fs::path& data) {
  return import_directory(posix_file_system(), data,
                          [](const key&, byte_view) -> result<void> { return {}; });
}

TEST(import_directory, everything_of_a_stopped_server_is_found) {
  testing::worked_cluster cluster;
  cluster.server().start();
  const auto path_of = [&](const char* relation) {
    return cluster.server().value(std::string{"select pg_relation_filepath('"} + relation + "')");
  };
  const std::string accounts = path_of("accounts");
  const std::string scratch = path_of("scratch");
  const std::string far = path_of("far");
  cluster.server().stop();

  const auto imported = import_to_map(cluster.data());
  const auto& values = imported.layer->values;
  EXPECT_EQ(to_string(imported.cluster.system),
            control_value(cluster.data(), "Database system identifier"));
  EXPECT_EQ(to_string(imported.cluster.last_record),
            control_value(cluster.data(), "Latest checkpoint location"));
  EXPECT_EQ(imported.cluster.timeline, pg_timeline{1});
  EXPECT_TRUE(imported.cluster.has_checksums);
  ASSERT_EQ(imported.cluster.wal_segments.size(), 1u);
  EXPECT_TRUE(fs::exists(cluster.data() / "pg_wal" / imported.cluster.wal_segments[0]));

  const auto relation_of = [](const std::string& file) {
    relation_id id{default_tablespace, 0, 0};
    const size_t last = file.rfind('/');
    id.relfilenode = static_cast<uint32_t>(std::stoul(file.substr(last + 1)));
    const size_t before = file.rfind('/', last - 1);
    id.database = static_cast<uint32_t>(std::stoul(file.substr(before + 1)));
    return id;
  };
  const relation_id table = relation_of(accounts);
  for (const fork_number fork : {fork_number::main, fork_number::fsm, fork_number::vm}) {
    const auto suffix = fork == fork_number::main ? "" : std::string{"_"} + to_string(fork);
    const auto size = values.find(key::size(table, fork));
    ASSERT_NE(size, values.end());
    const auto state = relation_state::decode(size->second);
    ASSERT_TRUE(state);
    const bytes file = testing::read_file(cluster.data() / (accounts + suffix));
    ASSERT_EQ(uint64_t{state->blocks()} * page_size_bytes, file.size());
    for (block_number block = 0; block < state->blocks(); ++block)
      ASSERT_TRUE(
          std::ranges::equal(values.at(key::block(table, fork, block)),
                             byte_view{file}.subspan(block * page_size_bytes, page_size_bytes)));
  }
  const relation_id unlogged = relation_of(scratch);
  EXPECT_FALSE(values.contains(key::size(unlogged, fork_number::main)));
  EXPECT_TRUE(values.contains(key::size(unlogged, fork_number::init)));
  relation_id elsewhere = relation_of(far);
  elsewhere.tablespace = cluster.tablespace();
  EXPECT_TRUE(values.contains(key::block(elsewhere, fork_number::main, 5)));
  EXPECT_EQ(as_text(values.at(key::tablespace(cluster.tablespace()))),
            (cluster.directory() / "place").string());

  EXPECT_EQ(
      std::ranges::count(values, key_kind::database, [](const auto& v) { return v.first.kind; }),
      4);
  EXPECT_EQ(std::ranges::count(values, key_kind::relation_map,
                               [](const auto& v) { return v.first.kind; }),
            5);
  EXPECT_EQ(
      std::ranges::count(values, key_kind::two_phase, [](const auto& v) { return v.first.kind; }),
      1);
  EXPECT_EQ(load<uint64_t>(values.at(key::replication_origin(1)).data()), 0xABCDEF0u);
  EXPECT_TRUE(values.contains(key::slru(slru_kind::xact, 0)));
  EXPECT_TRUE(values.contains(key::slru(slru_kind::multixact_members, 0)));
  const auto kept = decode_configuration_file(values.at(configuration_key(0)));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->name, "postgresql.conf");
  EXPECT_NE(kept->contents.find("max_connections = 37"), std::string::npos);
}

TEST(import_directory, a_page_with_a_wrong_checksum_is_named_with_its_file_and_block) {
  testing::temporary_directory directory;
  testing::postgres_server server{directory, testing::postgres_server::options{{"-k"}, ""}};
  server.start();
  server.execute("create table t as select i, repeat('x', 100) from generate_series(1, 500) i");
  const std::string file = server.value("select pg_relation_filepath('t')");
  server.stop();
  ASSERT_TRUE(import_only(server.data()));
  flip_byte(server.data() / file, 2 * page_size_bytes + 5000);
  const auto refused = import_only(server.data());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_NE(refused.error().message.find(file + " block 2 has the checksum"), std::string::npos)
      << refused.error().message;
}

TEST(import_directory, refuses_what_is_not_a_cleanly_stopped_postgresql_15) {
  testing::temporary_directory directory;
  testing::postgres_server server{directory, testing::postgres_server::options{}};
  const fs::path data = server.data();
  ASSERT_TRUE(import_only(data));

  flip_byte(data / "global/pg_filenode.map", 20);
  EXPECT_EQ(import_only(data).error().code, errc::corrupt);
  flip_byte(data / "global/pg_filenode.map", 20);

  flip_byte(data / "global/pg_control", 100);
  EXPECT_EQ(import_only(data).error().code, errc::corrupt);
  flip_byte(data / "global/pg_control", 100);

  server.start();
  server.kill();
  const auto running = import_only(data);
  EXPECT_EQ(running.error().code, errc::conflict) << running.error().message;

  server.start();
  server.stop();
  std::ofstream(data / "PG_VERSION") << "14\n";
  const auto other = import_only(data);
  EXPECT_EQ(other.error().code, errc::unsupported);
  EXPECT_NE(other.error().message.find("says \"14\", expected 15"), std::string::npos);
  EXPECT_EQ(import_only(data / "missing").error().code, errc::not_found);
}

}  // namespace
}  // namespace zenith::backup
