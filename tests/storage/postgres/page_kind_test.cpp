// Kinds of pages told apart on the files of a real server, with an index of every access method.
#include "storage/postgres/page_kind.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "storage/postgres/mask.hpp"
#include "tests/support/files.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::pg {
namespace {

TEST(page_kind, is_told_from_every_page_of_every_relation_of_a_real_server) {
  zenith::testing::temporary_directory directory;
  zenith::testing::postgres_server server(directory, {.initdb = {}});
  server.start();
  server.execute(R"(
    create extension bloom;
    create table t (id int primary key, n int, words text[], p point, line text);
    insert into t select i, i % 100, array['a' || i % 7, 'b' || i % 50], point(i % 300, i % 200),
      repeat('line ' || i, 5) from generate_series(1, 20000) i;
    create index on t using hash (n);
    create index on t using gin (words);
    create index on t using gist (p);
    create index on t using spgist (p);
    create index on t using brin (id);
    create index on t using bloom (n);
    create sequence s;
    select nextval('s'))");
  server.execute("vacuum t");
  server.execute("checkpoint");
  const auto relations = server.rows(R"(
    select pg_relation_filepath(c.oid),
      case when c.relkind = 'S' then 'sequence' when a.amname is null then 'heap' else a.amname end
    from pg_class c left join pg_am a on a.oid = c.relam
    where pg_relation_filepath(c.oid) is not null)");
  server.stop();

  const std::map<std::string, page_kind> kinds{
      {"heap", page_kind::heap}, {"btree", page_kind::btree},       {"hash", page_kind::hash},
      {"gin", page_kind::gin},   {"gist", page_kind::gist},         {"spgist", page_kind::spgist},
      {"brin", page_kind::brin}, {"sequence", page_kind::sequence}, {"bloom", page_kind::other}};
  std::map<std::string, int> seen;
  for (const auto& relation : relations) {
    const bytes file = zenith::testing::read_file(server.data() / relation[0]);
    for (block_number block = 0; block < file.size() / page_size_bytes; ++block) {
      page p;
      std::memcpy(p.begin(), file.data() + block * page_size_bytes, page_size_bytes);
      const page_kind kind = kind_of(p, block);
      if (kind == page_kind::empty) continue;
      EXPECT_EQ(kind, kinds.at(relation[1])) << relation[0] << " " << relation[1] << " " << block;
      ++seen[relation[1]];

      // What is masked does not matter to a second mask, and leaves what the page says of itself.
      page once = p;
      mask_page(mask_of(kind), block, once);
      page twice = once;
      mask_page(mask_of(kind), block, twice);
      EXPECT_EQ(once.data, twice.data) << relation[0] << " " << relation[1] << " " << block;
    }
  }
  for (const auto& [name, kind] : kinds) EXPECT_GT(seen[name], 0) << name;
}

TEST(page_kind, of_any_bytes_is_told_and_masked_inside_the_page) {
  const uint32_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::array<page, 3> pages;
    page& p = pages[1];
    for (size_t i = 0; i < page_size_bytes; i += 4)
      store(p.begin() + i, static_cast<uint32_t>(random()));
    if (round % 3 != 0) {
      store<uint16_t>(p.begin() + 12, static_cast<uint16_t>(24 + random() % 600));
      store<uint16_t>(p.begin() + 14, static_cast<uint16_t>(600 + random() % 7500));
      store<uint16_t>(p.begin() + 16, static_cast<uint16_t>(8192 - random() % 4 * 8));
    }
    mask_page(mask_of(kind_of(p, 0)), 0, p);
    for (uint8_t rmgr = 0; rmgr <= 21; ++rmgr) mask_page(static_cast<resource_manager>(rmgr), 7, p);
    ASSERT_EQ(pages[0].data, page{}.data);
    ASSERT_EQ(pages[2].data, page{}.data);
  }
}

}  // namespace
}  // namespace zenith::pg
