// Stock servers on base backups: what they hold, how their WAL goes on, and what is refused.
#include "storage/backup/base_backup.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/backup/directory_sink.hpp"
#include "storage/backup/file_names.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/map_view.hpp"
#include "tests/support/wal_dump.hpp"
#include "tests/support/worked_cluster.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::dump_wal;
using testing::import_to_map;
using testing::postgres_server;
using testing::sql_session;
using testing::worked_cluster;

const timestamp now = timestamp::from_unix_us(1'790'000'000'000'000);

// A branch at L0: its own pg_timeline, and the record appended.
base_backup_options branch_options(const testing::imported_map& from) {
  base_backup_options options;
  options.at = from.cluster.base;
  options.previous_record = from.cluster.last_record;
  options.timeline = pg_timeline{2};
  options.history = {{pg_timeline{1}, from.cluster.base}};
  options.now = now;
  return options;
}

base_backup_options restart_options(const testing::imported_map& from) {
  base_backup_options options;
  options.at = from.cluster.base;
  options.previous_record = from.cluster.last_record;
  options.start = start_record::last_checkpoint;
  options.now = now;
  return options;
}

result<base_backup_summary> write_to(const fs::path& target, const layers::view& view,
                                     const wal::wal_source* wal, const base_backup_options& options,
                                     const directory_sink_options& how = {}) {
  ZENITH_TRY_ASSIGN(const auto sink, directory_sink::create(posix_file_system(), target, how));
  return write_base_backup(view, wal, options, *sink);
}

// Writes, and is still whole after a crash.
void expect_a_healthy_server(postgres_server& server) {
  server.execute(
      "insert into accounts select i, 1, 0, 'new' from generate_series(200001, 203000) i");
  server.execute("insert into scratch select i, 'y' from generate_series(1, 50) i");
  server.execute("checkpoint");
  server.execute("update accounts set balance = balance + 1 where id > 200000");
  server.kill();
  server.start();
  EXPECT_EQ(server.value("select sum(balance) from accounts where id > 200000"), "3000");
  EXPECT_EQ(server.value("select count(*) from scratch"), "0");  // unlogged: emptied by the crash
  server.execute("commit prepared 'kept'");
  EXPECT_EQ(server.value("select note from accounts where id = 100001"), "prepared");
  const auto checked =
      testing::run({testing::pg_program("pg_amcheck"), "--heapallindexed", "--all", "-h",
                    server.socket_directory().string(), "-p", "5432", "-U", "postgres"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
}

TEST(base_backup, a_branch_starts_on_an_appended_checkpoint_and_its_wal_goes_on_from_there) {
  worked_cluster origin;
  const auto imported = import_to_map(origin.data());
  const auto wal = testing::wal_of(imported, origin.data());
  const fs::path data = origin.directory() / "branch";
  directory_sink_options how;
  how.tablespaces = origin.directory() / "branch_tablespaces";
  const auto written = write_to(data, imported.view(), &wal, branch_options(imported), how);
  ASSERT_TRUE(written) << written.error().message;
  testing::give_to_database_user(*how.tablespaces);

  postgres_server server{origin.directory(), data};
  server.start();
  EXPECT_EQ(worked_cluster::facts_of(server), origin.facts());
  EXPECT_EQ(server.value("select count(*) from scratch"), "0");
  EXPECT_EQ(server.value("select timeline_id || ' ' || prev_timeline_id || ' ' || checkpoint_lsn "
                         "from pg_control_checkpoint()"),
            "2 1 " + to_string(written->checkpoint));
  EXPECT_EQ(server.log().find("recovery"), std::string::npos) << server.log();
  expect_a_healthy_server(server);
  const std::string end = server.value("select pg_current_wal_flush_lsn()");
  server.stop();

  // The chain is one from the parent's last record over the seam into the branch's own.
  const std::string dump =
      dump_wal(data, pg_timeline{2}, 16u << 20, imported.cluster.last_record, *parse_lsn(end));
  const size_t parents = dump.find("CHECKPOINT_SHUTDOWN");
  ASSERT_NE(parents, std::string::npos) << dump;
  const size_t own = dump.find("CHECKPOINT_SHUTDOWN", parents + 1);
  ASSERT_NE(own, std::string::npos) << dump;
  EXPECT_NE(dump.find("tli 2; prev tli 1"), std::string::npos);
  EXPECT_NE(dump.find("Transaction"), std::string::npos);
}

TEST(base_backup, a_server_goes_on_after_its_own_shutdown_checkpoint_with_nothing_appended) {
  worked_cluster origin{{"--wal-segsize=1"}};
  const auto imported = import_to_map(origin.data());
  const auto wal = testing::wal_of(imported, origin.data());
  const fs::path data = origin.directory() / "again";
  const auto written = write_to(data, imported.view(), &wal, restart_options(imported));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->checkpoint, imported.cluster.last_record);
  EXPECT_EQ(written->end, imported.cluster.base);

  postgres_server server{origin.directory(), data};
  server.start();
  EXPECT_EQ(worked_cluster::facts_of(server), origin.facts());
  EXPECT_EQ(server.value("select timeline_id from pg_control_checkpoint()"), "1");
  expect_a_healthy_server(server);
}

TEST(base_backup, a_server_starts_without_any_wal_from_before) {
  worked_cluster origin{{}};
  const auto imported = import_to_map(origin.data());
  const fs::path data = origin.directory() / "branch";
  const auto written = write_to(data, imported.view(), nullptr, branch_options(imported));
  ASSERT_TRUE(written) << written.error().message;
  postgres_server server{origin.directory(), data};
  server.start();
  EXPECT_EQ(worked_cluster::facts_of(server), origin.facts());
  const std::string end = server.value("select pg_current_wal_flush_lsn()");
  server.stop();
  // A reader that begins at the page finds the first record after what stands in for the rest.
  EXPECT_NE(dump_wal(data, pg_timeline{2}, 16u << 20, pg::wal_page_start(imported.cluster.base),
                     *parse_lsn(end))
                .find("prev tli 1"),
            std::string::npos);
}

TEST(base_backup, a_read_only_server_starts_and_refuses_writes) {
  worked_cluster origin;
  const auto imported = import_to_map(origin.data());
  const auto wal = testing::wal_of(imported, origin.data());
  base_backup_options options = branch_options(imported);
  options.kind = server_kind::read_only;
  options.extra_files = {{"postgresql.auto.conf", "work_mem = '7MB'\n"}};
  const fs::path data = origin.directory() / "reader";
  directory_sink_options how;
  how.tablespaces = origin.directory() / "reader_tablespaces";
  ASSERT_TRUE(write_to(data, imported.view(), &wal, options, how));
  testing::give_to_database_user(*how.tablespaces);
  postgres_server server{origin.directory(), data};
  server.start();
  EXPECT_EQ(server.value("select pg_is_in_recovery()"), "t");
  EXPECT_EQ(server.value("show work_mem"), "7MB");
  EXPECT_EQ(server.value("select count(*) || ' ' || sum(balance) from accounts"),
            origin.facts()[0].substr(0, origin.facts()[0].rfind(' ')));
  EXPECT_THROW(server.execute("insert into parent values (9)"), std::exception);
}

TEST(base_backup, a_second_branch_goes_back_to_two_pg_timelines) {
  worked_cluster origin;
  const auto imported = import_to_map(origin.data());
  const auto wal = testing::wal_of(imported, origin.data());
  base_backup_options options = branch_options(imported);
  options.timeline = pg_timeline{3};
  options.history = {{pg_timeline{1}, imported.cluster.base}, {pg_timeline{2}, options.at}};
  const fs::path data = origin.directory() / "branch";
  ASSERT_TRUE(write_to(data, imported.view(), &wal, options));
  EXPECT_TRUE(fs::exists(data / "pg_wal/00000002.history"));
  std::ifstream file{data / "pg_wal/00000003.history"};
  const std::string history{std::istreambuf_iterator<char>(file), {}};
  const auto parsed = parse_pg_history(history);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, options.history);
  postgres_server server{origin.directory(), data};
  server.start();
  EXPECT_EQ(server.value("select timeline_id || ' ' || prev_timeline_id "
                         "from pg_control_checkpoint()"),
            "3 2");
}

TEST(base_backup, a_page_that_is_newer_than_l_is_an_error_that_names_it) {
  testing::temporary_directory directory;
  postgres_server origin{directory, postgres_server::options{}};
  auto imported = import_to_map(origin.data());
  const key changed = key::block({default_tablespace, 1, 1259}, fork_number::main, 0);
  page p;
  bytes& stored = imported.layer->values.at(changed);
  std::ranges::copy(stored, p.begin());
  pg::set_page_lsn(p, imported.cluster.base + 8);
  stored.assign(p.view().begin(), p.view().end());
  const auto refused =
      write_to(directory / "x", imported.view(), nullptr, branch_options(imported));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_NE(refused.error().message.find("1663/1/1259 main block 0 has the LSN"), std::string::npos)
      << refused.error().message;
}

TEST(base_backup, options_that_contradict_each_other_are_refused) {
  testing::temporary_directory directory;
  postgres_server origin{directory, postgres_server::options{}};
  const auto imported = import_to_map(origin.data());
  const auto good = branch_options(imported);
  int number = 0;
  const auto code_of = [&](const base_backup_options& options) {
    const auto made =
        write_to(directory / std::to_string(++number), imported.view(), nullptr, options);
    return made ? errc{} : made.error().code;
  };
  EXPECT_EQ(code_of(good), errc{});
  auto options = good;
  options.timeline = pg_timeline{1};
  EXPECT_EQ(code_of(options), errc::invalid_argument);
  options = good;
  options.history[0].until = good.at + 8;
  EXPECT_EQ(code_of(options), errc::invalid_argument);
  options = good;
  options.previous_record = good.at;
  EXPECT_EQ(code_of(options), errc::invalid_argument);
  options = good;
  options.at = good.at + 8;
  options.history[0].until = options.at;
  EXPECT_EQ(code_of(options), errc::out_of_range);
  options = good;
  options.start = start_record::last_checkpoint;
  EXPECT_EQ(code_of(options), errc::out_of_range);
}

}  // namespace
}  // namespace zenith::backup
