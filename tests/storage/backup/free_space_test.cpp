// PostgreSQL judges the free space maps of a new server: by what its heaps' pages have free, and by
// what its own recovery keeps up.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "storage/backup/base_backup.hpp"
#include "storage/backup/directory_sink.hpp"
#include "storage/backup/verify.hpp"
#include "tests/support/ingested_wal.hpp"
#include "tests/support/postgres_server.hpp"
#include "tests/support/recovered_cluster.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;
using testing::postgres_server;
using testing::sql_session;

constexpr uint32_t segment = 4 * 1024 * 1024;
constexpr std::array databases{"postgres", "second"};

// What a map says of a block, and what the block has free, both as a category's lower bound.
struct free_space {
  int recorded = 0;
  int real = 0;
};
using free_space_by_block = std::map<std::string, free_space>;

// Of every permanent heap of every database. A page that may be full of line pointers is left out.
free_space_by_block free_space_of(postgres_server& server) {
  constexpr const char* query = R"(
    select format('%I.%I %s', nspname, relname, block), pg_freespace(c.oid, block),
           case when upper = 0 or upper - lower - 4 >= 8160 then 8160
                else least(greatest(upper - lower - 4, 0) / 32, 254) * 32 end
    from pg_class c join pg_namespace n on n.oid = relnamespace,
         generate_series(0, pg_relation_size(c.oid) / 8192 - 1) block,
         page_header(get_raw_page(format('%I.%I', nspname, relname), 'main', block))
    where relkind in ('r', 't', 'm') and relpersistence = 'p' and (lower - 24) / 4 < 291)";
  free_space_by_block found;
  for (const char* database : databases) {
    sql_session session{server.conninfo(database)};
    for (const auto& row : session.rows(query))
      found[database + (" " + row[0])] = {std::stoi(row[1]), std::stoi(row[2])};
  }
  return found;
}

// Half of it free since a vacuum, and no later one.
constexpr const char* work[] = {
    "create table reused (id int, filler text)",
    "insert into reused select i, repeat('r', 100) from generate_series(1, 20000) i",
    "delete from reused where id % 2 = 0",
    "vacuum reused",
    "create table bulk (id int, filler text)",
    "copy bulk (id) from program 'seq 1 30000'",
    "create table updated (id int primary key, n int, filler text) with (fillfactor = 70)",
    "insert into updated select i, 0, repeat('u', 50) from generate_series(1, 5000) i",
    "update updated set n = n + 1",
    "update updated set n = n + 1 where id % 3 = 0",
    "create index on updated using brin (id)",
    "create index on updated using gin (string_to_array(filler, 'x'))",
    "create index on updated using hash (n)",
    // More blocks than one page of a map has slots.
    "create table sparse (id int, filler text) with (fillfactor = 10)",
    "alter table sparse alter filler set storage plain",
    "insert into sparse select i, repeat('s', 900) from generate_series(1, 4300) i",
    "create table cut (id int, filler text)",
    "insert into cut select i, repeat('c', 200) from generate_series(1, 5000) i",
    "delete from cut where id > 3000 or id % 5 = 0",
    "vacuum cut",
    "create table documents as select i, string_agg(md5((i * j)::text), '') as body from "
    "generate_series(1, 60) i, generate_series(1, 300) j group by i",
    "delete from documents where i % 2 = 0",
    "vacuum documents",
    "create materialized view seen as select * from reused where id < 3000",
    "create unlogged table scratch as select generate_series(1, 1000)",
    "vacuum full updated",
    "delete from updated where id % 4 = 0",
    "vacuum updated",
    "insert into updated select i, 0, 'late' from generate_series(5001, 5500) i",
    "create table one_row as select 1 as id",
    "checkpoint",
};

// A server that worked from a copy of its files on, killed; its WAL ingested.
class free_space_maps : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.start();
    for (const char* database : {"postgres", "template1"})
      for (const char* extension : {"pg_freespacemap", "pageinspect", "amcheck"})
        sql_session{server_.conninfo(database)}.execute(std::string("create extension ") +
                                                        extension);
    server_.stop();
    fs::copy(server_.data(), directory_ / "base", fs::copy_options::recursive);
    server_.start();
    testing::take_base_backup(server_.conninfo(), directory_ / "backup");
    first_ = *parse_lsn(server_.value("select pg_current_wal_insert_lsn()"));
    server_.execute("create database second strategy wal_log");
    for (const char* statement : work) server_.execute(statement);
    sql_session{server_.conninfo("second")}.execute(
        "create table here as select generate_series(1, 3000) as id; delete from here where id < "
        "1500");
    server_.kill();
    ingested_ = testing::ingest_wal(directory_ / "base", server_.data() / "pg_wal", segment);
  }

  fs::path recovered_at(const testing::ingested_wal::record& record, const std::string& name) {
    testing::recover_to(directory_, directory_ / "backup", server_.data() / "pg_wal",
                        pg_timeline{1}, segment, record.end, directory_ / name);
    return directory_ / name;
  }

  fs::path made_at(const testing::ingested_wal::record& record, server_kind kind,
                   const std::string& name) {
    base_backup_options options;
    options.at = record.end;
    options.previous_record = record.start;
    options.timeline = pg_timeline{2};
    options.history = {{pg_timeline{1}, record.end}};
    options.kind = kind;
    auto sink = directory_sink::create(posix_file_system(), directory_ / name, {});
    EXPECT_TRUE(sink);
    const auto written =
        write_base_backup(ingested_.view_until(record.end), ingested_.wal.get(), options, **sink);
    EXPECT_TRUE(written) << written.error().message;
    return directory_ / name;
  }

  // Ours say what each block has free. PostgreSQL's own, kept up in redo, know less.
  void expect_the_truth_at(const testing::ingested_wal::record& record, const std::string& name) {
    SCOPED_TRACE("at " + to_string(record.end));
    postgres_server recovered{directory_, recovered_at(record, name + "r")};
    recovered.start({"-c", "autovacuum=off"});
    const free_space_by_block theirs = free_space_of(recovered);
    recovered.stop();
    // One that only reads prunes no pages.
    postgres_server made{directory_, made_at(record, server_kind::read_only, name + "m")};
    made.start();
    const free_space_by_block ours = free_space_of(made);
    made.stop();

    ASSERT_GT(ours.size(), 500u);
    uint64_t wrong = 0, more_pessimistic = 0, unknown_to_them = 0;
    for (const auto& [block, found] : ours) {
      if (found.recorded != found.real && ++wrong < 10)
        ADD_FAILURE() << block << ": " << found.recorded << ", expected " << found.real;
      const auto other = theirs.find(block);
      ASSERT_NE(other, theirs.end()) << block;
      if (other->second.recorded <= found.real && found.recorded < other->second.recorded)
        ++more_pessimistic;
      if (other->second.recorded < found.real) ++unknown_to_them;
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(more_pessimistic, 0u);
    RecordProperty(name + "_blocks", std::to_string(ours.size()));
    RecordProperty(name + "_blocks_that_recovery_knows_less_of", std::to_string(unknown_to_them));
  }

  // Against itself: what is asked is the structure of the maps in it.
  static void expect_verify_to_pass(const fs::path& data) {
    const auto imported = testing::import_to_map(data);
    const auto report = verify(imported.view(), imported.cluster.base, posix_file_system(), data);
    ASSERT_TRUE(report) << report.error().message;
    for (const mismatch& one : report->mismatches) ADD_FAILURE() << one.file << " " << one.what;
  }

  testing::temporary_directory directory_;
  postgres_server server_{directory_,
                          postgres_server::options{{"--wal-segsize=4", "-k"},
                                                   "wal_keep_size = 8GB\nmax_wal_size = 8GB\n"
                                                   "autovacuum = off\n"}};
  lsn first_;
  testing::ingested_wal ingested_;
};

TEST_F(free_space_maps, free_space_map_upkeep_as_a_standby_does_it) {
  const auto& last = ingested_.records.back();
  expect_the_truth_at(last, "end");
  const auto begin = std::ranges::find_if(
      ingested_.records, [&](const auto& record) { return record.start >= first_; });
  const auto later = static_cast<size_t>(ingested_.records.end() - begin);
  ASSERT_GT(later, 10'000u);
  const uint32_t seed = testing::test_seed();
  SCOPED_TRACE("ZENITH_TEST_SEED=" + std::to_string(seed));
  std::mt19937 random{seed};
  const int rounds = testing::full_test_level() ? 10 : 1;
  for (int i = 0; i < rounds; ++i)
    expect_the_truth_at(begin[static_cast<ptrdiff_t>(random() % later)], fmt::format("at{}", i));

  const fs::path data = made_at(last, server_kind::writable, "writable");
  expect_verify_to_pass(data);

  // What a vacuum freed before is used again.
  postgres_server server{directory_, data};
  server.start({"-c", "autovacuum=off"});
  constexpr const char* size = "select pg_relation_size('reused')";
  const std::string before = server.value(size);
  server.execute("insert into reused select i, repeat('n', 100) from generate_series(1, 9900) i");
  EXPECT_EQ(server.value(size), before);
  const auto checked = testing::run({testing::pg_program("pg_amcheck"), "--heapallindexed", "--all",
                                     "-h", server.socket_directory().string(), "-U", "postgres"});
  EXPECT_EQ(checked.exit_code, 0) << checked.output << checked.errors;
  server.stop();
  testing::run_ok({testing::pg_program("pg_checksums"), "-c", "-D", server.data().string()});
}

}  // namespace
}  // namespace zenith::backup
