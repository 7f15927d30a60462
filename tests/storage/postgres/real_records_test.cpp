// Records that a real server wrote: taken apart as pg_waldump does, their images as its files are.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_kind.hpp"
#include "storage/postgres/record.hpp"
#include "tests/support/base_pages.hpp"
#include "tests/support/real_wal.hpp"

namespace zenith::pg {
namespace {

constexpr uint8_t pglz = 0x04, lz4 = 0x08, zstd = 0x10;

// The end of pg_waldump's line (xlogdesc.c, XLogRecGetBlockRefInfo).
std::string block_references(const record& r) {
  std::string text;
  for (const block_reference& b : r.blocks()) {
    const std::string fork =
        b.fork == fork_number::main ? "" : fmt::format(" fork {}", to_string(b.fork));
    text +=
        fmt::format(", blkref #{}: rel {}{} blk {}", b.id, to_string(b.relation), fork, b.block);
    if (b.has_image) text += b.image.apply ? " FPW" : " FPW for WAL verification";
  }
  return text;
}

// pg_waldump's lines by the records' LSNs.
std::map<std::string, std::string> dump(const std::filesystem::path& data, lsn from) {
  std::istringstream lines(zenith::testing::run({zenith::testing::pg_program("pg_waldump"), "-p",
                                                 (data / "pg_wal").string(), "-s", to_string(from)})
                               .output);
  std::map<std::string, std::string> by_lsn;
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("lsn: ") + 5;
    // Printed with leading zeros in the lower half.
    const auto position = parse_lsn(line.substr(at, line.find(',', at) - at));
    EXPECT_TRUE(position) << line;
    if (position) by_lsn[to_string(*position)] = line;
  }
  return by_lsn;
}

void run_varied_work(zenith::testing::postgres_server& server) {
  for (const char* method : {"off", "pglz", "lz4", "zstd"}) {
    server.execute(fmt::format("set wal_compression = {}", method));
    server.execute(fmt::format(R"(
      create table t_{0} (id int primary key, n int, words text[], p point);
      insert into t_{0} select i, i % 100, array['a' || i % 7, 'b' || i % 50],
        point(i % 300, i % 200) from generate_series(1, 3000) i;
      create index on t_{0} using hash (n);
      create index on t_{0} using gin (words);
      create index on t_{0} using gist (p);
      create index on t_{0} using spgist (p);
      create index on t_{0} using brin (id))",
                               method));
    server.execute("checkpoint");
    server.execute(
        fmt::format("update t_{0} set n = n + 1 where id % 3 = 0;"
                    "delete from t_{0} where id % 5 = 0",
                    method));
    server.execute(fmt::format("vacuum freeze t_{}", method));
    server.execute(fmt::format("create index on t_{} (words, n)", method));
  }
  server.execute("create sequence s");
  server.execute("select nextval('s'); select pg_create_restore_point('here')");
  server.execute(
      "begin; create table u (a int); insert into u values (1); prepare transaction 'x'");
  server.execute("commit prepared 'x'");
  server.execute(
      "begin; insert into u values (2); savepoint a; insert into u values (3); rollback");
  server.execute("insert into u values (4) on conflict do nothing");
  server.execute("begin; select * from u for share");
  zenith::testing::sql_session other(server.conninfo());
  other.execute("select * from u for share");
  server.execute("commit");
  server.execute("create database d strategy wal_log");
  server.execute("create database e strategy file_copy");
  server.execute("drop database d");
  server.execute("select pg_logical_emit_message(true, 'a', repeat('b', 1000))");
  server.execute("vacuum full pg_class");
  server.execute("truncate u");
  server.execute("select pg_switch_wal()");
}

TEST(real_records, are_taken_apart_and_restored_as_postgresql_does) {
  zenith::testing::temporary_directory directory;
  zenith::testing::postgres_server server(
      directory, {.initdb = {"--wal-segsize=4"},
                  .configuration = "wal_level = logical\nmax_prepared_transactions = 5\n"
                                   "wal_keep_size = 1GB\n"});
  server.start();
  run_varied_work(server);
  server.stop();

  const zenith::testing::real_wal wal = zenith::testing::read_real_wal(server.data());
  const auto lines = dump(server.data(), wal.first);
  wal::decoder decoder(wal.identity, wal.first, lsn{});
  ASSERT_TRUE(decoder.feed(wal.first, wal.from(wal.first)));
  std::map<std::string, int> names;
  struct restored {
    page contents;
    uint8_t info = 0;
  };
  std::map<key, restored> pages;  // whose last change was an image
  size_t records = 0;
  record r;
  while (true) {
    const auto raw = decoder.next();
    if (!raw || !*raw) break;
    ++records;
    ASSERT_TRUE(check_record_crc((*raw)->bytes, (*raw)->start));
    const auto done = decode_record((*raw)->bytes, (*raw)->start, (*raw)->end, r);
    ASSERT_TRUE(done) << done.error().message;
    const auto line = lines.find(to_string(r.start));
    ASSERT_NE(line, lines.end()) << describe(r);
    const std::string rmgr = "rmgr: " + resource_manager_name(r.rmgr) + " ";
    const std::string name = "desc: " + record_name(r.rmgr, r.info);
    EXPECT_TRUE(line->second.starts_with(rmgr)) << describe(r) << "\n" << line->second;
    EXPECT_NE(line->second.find(name), std::string::npos) << describe(r) << "\n" << line->second;
    EXPECT_TRUE(line->second.ends_with(block_references(r))) << describe(r) << "\n" << line->second;
    EXPECT_NE(line->second.find(fmt::format("tx: {:>10},", r.xid)), std::string::npos)
        << line->second;
    ++names[rmgr + name];
    for (const block_reference& b : r.blocks()) {
      pages.erase(b.page_key());
      if (!b.has_image || !b.image.apply) continue;
      restored& to = pages[b.page_key()];
      const auto ok = restore_image(b, r.start, to.contents);
      ASSERT_TRUE(ok) << ok.error().message;
      set_page_lsn(to.contents, r.end);
      to.info = b.image.info;
    }
  }
  EXPECT_EQ(records, lines.size());
  EXPECT_GT(names.size(), 50u);

  const zenith::testing::base_pages files(server.data());
  std::map<int, int> compared;
  for (auto& [k, image] : pages) {
    auto on_disk = files.read(k.relation(), k.relation_fork(), k.d);
    if (!on_disk || page_lsn(*on_disk) != page_lsn(image.contents)) continue;  // dropped since
    if (k.relation_fork() != fork_number::main) continue;  // changed without naming its pages
    const page_kind kind = kind_of(*on_disk, k.d);
    // spgutils.c, SpGistUpdateMetaPage: changed without WAL.
    if (kind == page_kind::spgist && k.d == 0) continue;
    const resource_manager mask = mask_of(kind);
    mask_page(mask, k.d, *on_disk);
    mask_page(mask, k.d, image.contents);
    EXPECT_EQ(on_disk->data, image.contents.data) << to_string(k);
    ++compared[image.info & (pglz | lz4 | zstd)];
  }
  for (const uint8_t method : {uint8_t{0}, pglz, lz4, zstd}) EXPECT_GT(compared[method], 10);
}

}  // namespace
}  // namespace zenith::pg
