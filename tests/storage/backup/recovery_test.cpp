// PostgreSQL's own recovery judges: at any LSN it gives the files that the view gives, and a stock
// server starts from the view's backup with the same contents.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/verify.hpp"
#include "storage/postgres/control_file.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/files.hpp"
#include "tests/support/ingested_wal.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::postgres_server;

constexpr uint32_t segment = 4 * 1024 * 1024;

// A server's files as of L0, and all the WAL that it wrote from there until it was killed.
class recovery : public ::testing::Test {
 protected:
  recovery()
      : server_{directory_,
                postgres_server::options{
                    {"--wal-segsize=4"},
                    "wal_keep_size = 8GB\nmax_wal_size = 8GB\n"
                    "autovacuum = off\nlock_timeout = 60s\nmax_prepared_transactions = 5\n"
                    "allow_in_place_tablespaces = on\n"}} {
    run_first();
    base_ = directory_ / "base";
    fs::copy(server_.data(), base_, fs::copy_options::recursive);
    server_.start();
    run_rest();
  }

  void run_first() {
    server_.start();
    for (const char* statement :
         {"create table before (id int primary key, v text)",
          "insert into before select i, repeat('b', i % 100) from generate_series(1, 5000) i",
          "create table doomed as select * from before",
          "create table held as select * from before", "vacuum before"})
      server_.execute(statement);
    server_.stop();
  }

  void run_rest() {
    testing::run_ok({testing::pg_program("pgbench"), "-i", "-s", "2", "-q", "-h",
                     server_.socket_directory().string(), "-U", "postgres", "postgres"});
    for (const char* statement :
         {"create unlogged table scratch (id int primary key)",
          "insert into scratch values (1)",
          "create sequence s",
          "select nextval('s') from generate_series(1, 50)",
          "begin; update before set v = 'prepared' where id = 1; prepare transaction 'one'",
          "begin; update held set v = 'prepared' where id = 2; prepare transaction 'two'",
          "delete from before where id > 3000",
          "vacuum before",
          "create database second",
          "create tablespace place location ''",
          "create table placed (id int primary key) tablespace place",
          "insert into placed select generate_series(1, 2000)",
          "checkpoint",
          "commit prepared 'one'",
          "drop table doomed",
          "truncate placed",
          "insert into placed select generate_series(1, 1500)",
          "begin; savepoint a; insert into before values (70001, 'x'); savepoint b; insert into "
          "before values (70002, 'y'); rollback to b; commit",
          "vacuum full pg_class",
          "cluster before using before_pkey",
          "create table toasted as select i, string_agg(md5((i * j)::text), '') as t from "
          "generate_series(1, 40) i, generate_series(1, 200) j group by i",
          "create index on pgbench_accounts using hash (bid)",
          "reindex table before",
          "alter table before add column w int default 7"})
      server_.execute(statement);
    const auto bench = [&](const std::string& transactions) {
      testing::run_ok({testing::pg_program("pgbench"), "-n", "-c", "4", "-t", transactions, "-h",
                       server_.socket_directory().string(), "-U", "postgres", "postgres"});
    };
    bench("300");
    server_.execute("vacuum analyze");
    share_rows();
    bench("200");
  }

  // Multixacts, some with an update in them.
  void share_rows() {
    testing::sql_session one{server_.conninfo()};
    testing::sql_session two{server_.conninfo()};
    for (testing::sql_session* session : {&one, &two}) {
      session->execute("begin");
      session->execute("select id from placed where id < 300 for key share");
    }
    one.execute("update placed set id = id where id < 100");
    one.execute("commit");
    two.execute("commit");
  }

  void ingest() {
    ingested_ = testing::ingest_wal(base_, server_.data() / "pg_wal", segment);
    ASSERT_GT(ingested_.records.size(), 1000u);
  }

  // The base's files and the WAL until L, brought up by stock crash recovery and stopped.
  std::unique_ptr<postgres_server> recover(lsn at, const fs::path& data) {
    fs::copy(base_, data, fs::copy_options::recursive);
    for (lsn begin = ingested_.wal->begin(); begin < at; begin = begin + segment) {
      bytes content(std::min<uint64_t>(at - begin, segment));
      EXPECT_TRUE(ingested_.wal->read(begin, content));
      content.resize(segment);
      write_file(
          data / "pg_wal" / pg::segment_file_name(pg_timeline{1}, begin.value() / segment, segment),
          content);
    }
    auto control = pg::decode_control_file(testing::read_file(data / "global/pg_control"));
    EXPECT_TRUE(control);
    control->state = pg::database_state::in_production;
    write_file(data / "global/pg_control", pg::encode_control_file(*control));
    auto server = std::make_unique<postgres_server>(directory_, data);
    server->start();
    return server;
  }

  static void write_file(const fs::path& name, byte_view contents) {
    std::ofstream out(name, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(contents.data()),
              static_cast<std::streamsize>(contents.size()));
    ASSERT_TRUE(out.good()) << name;
  }

  // Without the lines that hold a random key (pg_dump since 15.14).
  static std::string dump(postgres_server& server) {
    std::istringstream lines(
        testing::run_ok({testing::pg_program("pg_dumpall"), "-h",
                         server.socket_directory().string(), "-U", "postgres"}));
    std::string text;
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) text += line + '\n';
    return text;
  }

  // The first line of two texts that differs; empty where none does.
  static std::string first_difference(const std::string& expected, const std::string& found) {
    const auto [a, b] = std::ranges::mismatch(expected, found);
    if (a == expected.end() && b == found.end()) return {};
    const auto line_at = [](const std::string& text, size_t place) {
      const size_t begin = place == 0 ? 0 : text.rfind('\n', place - 1) + 1;
      return text.substr(begin, std::min<size_t>(text.find('\n', place) - begin, 200));
    };
    const auto place = static_cast<size_t>(a - expected.begin());
    return "expected: " + line_at(expected, place) + "\nfound: " + line_at(found, place);
  }

  static void expect_no_mismatch(const layers::view& view, lsn at, const fs::path& data) {
    const auto report = verify(view, at, posix_file_system(), data);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_GT(report->pages, 1000u);
    EXPECT_EQ(report->mismatch_count, 0u);
    for (size_t i = 0; i < std::min<size_t>(report->mismatches.size(), 20); ++i) {
      const mismatch& one = report->mismatches[i];
      ADD_FAILURE() << one.file << " block " << one.block << " offset " << one.offset << ": "
                    << one.what;
    }
  }

  void expect_the_same_at(const testing::ingested_wal::record& record) {
    SCOPED_TRACE("at " + to_string(record.end));
    const layers::view view = ingested_.view_until(record.end);
    const std::string name = "at" + std::to_string(record.end.value());
    const auto recovered = recover(record.end, directory_ / name);
    recovered->stop();
    expect_no_mismatch(view, record.end, directory_ / name);

    // Reading it prunes its pages, so this comes after the comparison.
    recovered->start();
    const std::string expected = dump(*recovered);
    recovered->stop();

    base_backup_options options;
    options.at = record.end;
    options.previous_record = record.start;
    options.timeline = pg_timeline{2};
    options.history = {{pg_timeline{1}, record.end}};
    auto sink = directory_sink::create(posix_file_system(), directory_ / (name + "b"), {});
    ASSERT_TRUE(sink);
    const auto written = write_base_backup(view, ingested_.wal.get(), options, **sink);
    ASSERT_TRUE(written) << written.error().message;
    postgres_server started{directory_, directory_ / (name + "b")};
    started.start();
    EXPECT_EQ(first_difference(expected, dump(started)), "");
    const auto checked =
        testing::run({testing::pg_program("pg_amcheck"), "--heapallindexed", "--install-missing",
                      "--all", "-h", started.socket_directory().string(), "-U", "postgres"});
    EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  }

  testing::temporary_directory directory_;
  postgres_server server_;
  fs::path base_;
  testing::ingested_wal ingested_;
};

TEST_F(recovery, gives_what_the_view_gives_at_random_places_and_at_the_end) {
  server_.kill();
  ingest();
  const char* given = std::getenv("ZENITH_TEST_SEED");
  const auto seed = given != nullptr ? static_cast<uint32_t>(std::stoul(given)) : 20261122u;
  const char* rounds_given = std::getenv("ZENITH_TEST_ROUNDS");
  const int rounds = rounds_given != nullptr ? std::stoi(rounds_given) : 2;
  std::mt19937 random{seed};
  SCOPED_TRACE("ZENITH_TEST_SEED=" + std::to_string(seed));
  expect_the_same_at(ingested_.records.back());
  for (int i = 0; i < rounds; ++i)
    expect_the_same_at(ingested_.records[random() % ingested_.records.size()]);
}

TEST_F(recovery, is_not_needed_where_a_server_stopped_cleanly_its_own_files_equal_the_view) {
  server_.stop();
  ingest();
  expect_no_mismatch(ingested_.view_until(ingested_.records.back().end),
                     ingested_.records.back().end, server_.data());
}

}  // namespace
}  // namespace zenith::backup
