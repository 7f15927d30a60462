// Pages that are not in the WAL, that are in it for their hints only, and their checksums.
#include <gtest/gtest.h>

#include "storage/layers/view.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/repository/import_cluster.hpp"
#include "storage/repository/timeline_store.hpp"
#include "tests/support/files.hpp"
#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_server;

TEST(unlogged_relations, are_known_by_their_init_fork_and_start_empty) {
  judged_server judged;
  judged.server().start();
  judged.run({"create unlogged table old (id int primary key, v text, s serial)",
              "insert into old select i, 'x' from generate_series(1, 500) i"});
  judged.take_base();
  const lsn before = judged.mark();
  judged.run({"create unlogged table fresh (id int primary key, v text, w tsvector)",
              "create index on fresh using hash (v)", "create index on fresh using gin (w)",
              "insert into fresh select i, 'x', 'a b' from generate_series(1, 500) i",
              "create unlogged table logged_later as select generate_series(1, 100) as id",
              "alter table logged_later set logged",
              "create table unlogged_later as select generate_series(1, 100) as id",
              "alter table unlogged_later set unlogged"});
  std::vector<relation_id> forks;
  for (const auto& row : judged.server().rows(
           "select pg_relation_filepath(oid) from pg_class where relpersistence = 'u' and relname "
           "<> 'logged_later'"))
    forks.push_back(judged_server::relation_of(row[0]));
  const relation_id fresh =
      judged_server::relation_of(judged.server().value("select pg_relation_filepath('fresh')"));
  const lsn made = judged.mark();
  judged.run({"drop table old"});
  const lsn dropped = judged.mark();
  judged.ingest();

  EXPECT_GE(judged.count(before, made, {"rmgr: Storage", "_init"}), 3u);
  EXPECT_TRUE(judged.blocks_at(made, fresh, fork_number::init).has_value());
  EXPECT_EQ(judged.blocks_at(made, fresh, fork_number::main).value_or(0), 0u);
  for (const lsn mark : {made, dropped}) judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(made);
  for (const relation_id& relation : forks) {
    const auto file = server->data() / ("base/5/" + std::to_string(relation.relfilenode));
    EXPECT_EQ(testing::read_file(file), testing::read_file(file.string() + "_init")) << file;
  }
  const auto count = [&](const char* table) {
    return server->value("select count(*) from " + std::string(table));
  };
  EXPECT_EQ(count("old"), "0");
  EXPECT_EQ(count("fresh"), "0");
  EXPECT_EQ(count("unlogged_later"), "0");
  EXPECT_EQ(count("logged_later"), "100");
  for (const char* statement :
       {"insert into old (id, v) values (1, 'y')", "insert into fresh values (1, 'y', 'c')",
        "set enable_seqscan = off"})
    server->execute(statement);
  EXPECT_EQ(server->value("select count(*) from fresh where v = 'y'"), "1");
  EXPECT_EQ(server->value("select count(*) from fresh where w @@ 'c'"), "1");
  EXPECT_EQ(server->value("select id from old where id = 1"), "1");
}

struct hint_images : ::testing::TestWithParam<const char*> {};

TEST_P(hint_images, change_the_page_where_they_are_and_nothing_where_they_are_left_out) {
  const std::string full_page_writes = GetParam();
  judged_server judged{{{}, "wal_log_hints = on\nfull_page_writes = " + full_page_writes + "\n"}};
  judged.server().start();
  judged.run({"create table t (id int, v text)",
              "insert into t select i, 'x' from generate_series(1, 300) i", "checkpoint"});
  judged.take_base();
  const relation_id t =
      judged_server::relation_of(judged.server().value("select pg_relation_filepath('t')"));
  const lsn before = judged.mark();
  // The first reader after the base sets the hint bits of all rows.
  judged.run({"select count(*) from t"});
  const lsn hinted = judged.mark();
  judged.run({"update t set v = 'y' where id < 10"});
  const lsn after = judged.mark();
  judged.ingest();

  const bool images = full_page_writes == "on";
  const std::string file = "rel " + to_string(t);
  EXPECT_GE(judged.count(before, hinted, {"FPI_FOR_HINT", file}), 1u);
  EXPECT_EQ(judged.count(before, hinted, {"FPI_FOR_HINT", file, "FPW"}) > 0, images);
  EXPECT_EQ(judged.page_at(before, t, fork_number::main, 0) !=
                judged.page_at(hinted, t, fork_number::main, 0),
            images);
  for (const lsn mark : {hinted, after}) judged.expect_recovery_agrees(mark);
  EXPECT_EQ(judged.start_at(after)->value("select count(*) from t where v = 'y'"), "9");
}

INSTANTIATE_TEST_SUITE_P(full_page_writes, hint_images, ::testing::Values("on", "off"),
                         [](const auto& how) { return std::string(how.param); });

TEST(page_checksums, are_right_on_every_page_of_a_new_server_where_the_cluster_has_them) {
  judged_server judged{{{"-k"}, {}}};
  judged.server().start();
  judged.run({"create table t (id int primary key, v text)",
              "insert into t select i, repeat('x', 90) from generate_series(1, 3000) i"});
  judged.take_base();
  judged.run({"update t set v = 'y' where id % 3 = 0", "delete from t where id > 2000", "vacuum t",
              "create unlogged table scratch (id int primary key)", "create sequence s",
              "select nextval('s')", "create index on t using hash (v)", "vacuum full pg_class"});
  const lsn changed = judged.mark();
  judged.ingest();
  judged.expect_recovery_agrees(changed);
  const auto data = judged.write_backup(changed);
  testing::give_to_database_user(data);
  const std::string checked =
      testing::run_ok({testing::pg_program("pg_checksums"), "--check", "-D", data.string()});
  EXPECT_NE(checked.find("Bad checksums:  0"), std::string::npos) << checked;
  EXPECT_NE(checked.find("Data checksum version: 1"), std::string::npos) << checked;
  testing::postgres_server server(judged.directory(), data);
  server.start();
  EXPECT_EQ(server.value("select count(*) || ' ' || count(*) filter (where v = 'y') from t"),
            "2000 666");
}

TEST(page_checksums, are_right_on_every_page_that_an_open_timeline_serves) {
  judged_server judged{{{"-k"}, {}}};
  judged.server().start();
  judged.run({"create table t (id int primary key, v text)",
              "insert into t select i, repeat('x', 90) from generate_series(1, 3000) i"});
  judged.take_base();
  judged.run({"update t set v = 'y' where id % 3 = 0", "vacuum t", "create sequence s",
              "create database copied strategy file_copy"});
  judged.ingest();

  file_system& files = posix_file_system();
  const auto folder = judged.directory() / "repository";
  auto made = repository::repository::create(files, folder, "{}");
  ASSERT_TRUE(made) << made.error().message;
  const auto metadata =
      repository::import_cluster(files, *made, judged.directory() / "base", "main", 1, timestamp{});
  ASSERT_TRUE(metadata) << metadata.error().message;
  repository::timeline_store::parameters how;
  how.files = &files;
  how.directory = made->timeline_directory(metadata->id);
  how.metadata = *metadata;
  how.cache = std::make_shared<layers::page_cache>(16u << 20);
  const auto store = repository::timeline_store::open(std::move(how));
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->begin_stream());
  while (*(*store)->drain(judged.server().data() / "pg_wal")) {
  }

  const layers::view_ptr view = (*store)->view();
  ASSERT_EQ(view->until(), judged.records().back().end);
  const auto forks = view->keys(
      key{key_kind::relation_size},
      key{key_kind::relation_size, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT8_MAX, UINT32_MAX},
      view->until());
  ASSERT_TRUE(forks);
  size_t changed = 0;
  for (int round = 0; round < 2; ++round)  // the second finds its pages in the cache
    for (const key& k : *forks) {
      const auto state = view->relation(k.relation(), k.relation_fork(), view->until());
      ASSERT_TRUE(state && *state);
      for (block_number block = 0; block < (*state)->blocks(); ++block) {
        page p;
        ASSERT_TRUE(view->read_page(k.relation(), k.relation_fork(), block, view->until(), p));
        if (pg::page_is_new(p)) continue;
        if (pg::page_lsn(p) > judged.base()) ++changed;
        constexpr size_t checksum_offset = 8;  // bufpage.h, PageHeaderData.pd_checksum
        ASSERT_EQ(load<uint16_t>(p.begin() + checksum_offset), pg::page_checksum(p, block))
            << to_string(key::block(k.relation(), k.relation_fork(), block));
      }
    }
  EXPECT_GT(changed, 100u);
}

}  // namespace
}  // namespace zenith
