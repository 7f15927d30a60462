// Databases that are copied, moved and dropped, and what their relation maps say.
#include <gtest/gtest.h>

#include "tests/support/judged_server.hpp"

namespace zenith {
namespace {

using testing::judged_server;
using testing::sql_session;

key map_of(const relation_id& relation) {
  return key::relation_map(relation.tablespace, relation.database);
}

bool exists_at(const judged_server& judged, lsn mark, const key& k) {
  return !judged.keys_at(mark, k, k).empty();
}

std::vector<std::string> databases_of(testing::postgres_server& server) {
  std::vector<std::string> names;
  for (const auto& row : server.rows("select datname from pg_database order by datname"))
    names.push_back(row[0]);
  return names;
}

TEST(create_database, with_both_strategies_copies_what_the_source_held) {
  judged_server judged;
  judged.server().start();
  judged.run({"create database source"});
  {
    sql_session source{judged.server().conninfo("source")};
    source.execute("create table t (id int primary key, v text)");
    source.execute("insert into t select i, repeat('x', i % 90) from generate_series(1, 3000) i");
    source.execute("create unlogged table scratch as select 1 as id");
    source.execute("vacuum (freeze) t");
  }
  judged.take_base();
  {
    // What the copies get lies partly in the base, partly in the WAL.
    sql_session source{judged.server().conninfo("source")};
    source.execute("update t set v = 'new' where id % 7 = 0");
    source.execute("vacuum full pg_class");
  }
  const lsn before = judged.mark();
  judged.run({"create database logged template source strategy wal_log"});
  const lsn logged = judged.mark();
  judged.run({"create database copied template source strategy file_copy"});
  const lsn copied = judged.mark();
  for (const char* name : {"logged", "copied"}) {
    sql_session copy{judged.server().conninfo(name)};
    copy.execute("delete from t where id <= 1000");
    copy.execute("insert into scratch values (2)");
  }
  {
    sql_session source{judged.server().conninfo("source")};
    source.execute("truncate t");
  }
  const lsn changed = judged.mark();
  judged.ingest();

  EXPECT_EQ(judged.count(before, logged, {"rmgr: Database", "CREATE_WAL_LOG"}), 1u);
  EXPECT_EQ(judged.count(before, logged, {"CREATE_FILE_COPY"}), 0u);
  EXPECT_EQ(judged.count(logged, copied, {"rmgr: Database", "CREATE_FILE_COPY"}), 1u);
  // Each copy of a relation is a record of its own: half of them are there in the middle.
  const auto created = judged.find(before, logged, {"rmgr: Storage", "CREATE base"});
  ASSERT_GT(created.size(), 100u);
  judged.expect_recovery_agrees(created[created.size() / 2].end);
  for (const lsn mark : {copied, changed}) judged.expect_recovery_agrees(mark);

  const auto server = judged.start_at(changed);
  for (const char* name : {"logged", "copied"}) {
    SCOPED_TRACE(name);
    sql_session copy{server->conninfo(name)};
    EXPECT_EQ(copy.value("select count(*) || ' ' || count(*) filter (where v = 'new') from t"),
              "2000 286");
    EXPECT_EQ(copy.value("select count(*) from scratch"), "0");
  }
  EXPECT_EQ(sql_session{server->conninfo("source")}.value("select count(*) from t"), "0");
}

TEST(alter_database_set_tablespace, moves_all_of_it_and_leaves_nothing_behind) {
  judged_server judged;
  judged.server().start();
  judged.run({"create tablespace place location ''", "create database moving"});
  {
    sql_session moving{judged.server().conninfo("moving")};
    moving.execute("create table t as select generate_series(1, 2000) as id");
  }
  judged.take_base();
  const auto oid = [&](const char* query) {
    return static_cast<uint32_t>(std::stoul(judged.server().value(query)));
  };
  const uint32_t place = oid("select oid from pg_tablespace where spcname = 'place'");
  const uint32_t moving = oid("select oid from pg_database where datname = 'moving'");
  const key there = key::database(place, moving);
  const key here = key::database(1663, moving);
  const lsn before = judged.mark();
  judged.run({"alter database moving set tablespace place"});
  const lsn moved = judged.mark();
  {
    sql_session session{judged.server().conninfo("moving")};
    session.execute("insert into t values (-1)");
  }
  const lsn written = judged.mark();
  judged.run({"alter database moving set tablespace pg_default"});
  const lsn back = judged.mark();
  judged.ingest();

  const auto copy = judged.find(before, moved, {"rmgr: Database", "CREATE_FILE_COPY"});
  const auto drop = judged.find(before, moved, {"rmgr: Database", "DROP"});
  ASSERT_EQ(copy.size(), 1u);
  ASSERT_EQ(drop.size(), 1u);
  EXPECT_FALSE(exists_at(judged, before, there));
  EXPECT_TRUE(exists_at(judged, copy[0].end, there));
  EXPECT_TRUE(exists_at(judged, copy[0].end, here));
  EXPECT_TRUE(exists_at(judged, drop[0].end, there));
  EXPECT_FALSE(exists_at(judged, drop[0].end, here));
  EXPECT_FALSE(exists_at(judged, back, there));
  for (const lsn mark : {copy[0].end, drop[0].end, written, back})
    judged.expect_recovery_agrees(mark);
  for (const lsn mark : {written, back}) {
    const auto server = judged.start_at(mark);
    EXPECT_EQ(sql_session{server->conninfo("moving")}.value("select count(*) from t"), "2001");
  }
}

TEST(drops, take_tables_databases_and_tablespaces_away_at_their_commit_and_not_before) {
  judged_server judged;
  judged.server().start();
  judged.run({"create tablespace place location ''", "create database doomed tablespace place",
              "create database doomed_here",
              "create table kept as select generate_series(1, 500) as id",
              "create table dropped (id int primary key, v text)",
              "insert into dropped select i, 'x' from generate_series(1, 500) i",
              "create table prepared (id int primary key)", "vacuum (freeze) dropped"});
  judged.take_base();
  const auto relation = [&](const char* name) {
    return judged_server::relation_of(
        judged.server().value("select pg_relation_filepath('" + std::string(name) + "')"));
  };
  const relation_id kept = relation("kept");
  const relation_id dropped = relation("dropped");
  const relation_id index = relation("dropped_pkey");
  const relation_id prepared = relation("prepared");
  judged.run({"begin", "drop table kept", "create table made as select 1 as id"});
  const relation_id made = relation("made");
  const lsn open = judged.mark();
  judged.run({"rollback"});
  const lsn rolled_back = judged.mark();
  judged.run({"begin", "drop table dropped"});
  const lsn before = judged.mark();
  judged.run({"commit"});
  const lsn committed = judged.mark();
  judged.run({"begin; drop table prepared; prepare transaction 'drop'"});
  const lsn two_phase = judged.mark();
  judged.run({"commit prepared 'drop'"});
  const lsn finished = judged.mark();
  judged.run({"drop database doomed_here"});
  const lsn one_database = judged.mark();
  judged.run({"drop database doomed", "drop tablespace place"});
  const lsn all = judged.mark();
  judged.ingest();

  const auto exists = [&](lsn mark, const relation_id& which) {
    return judged.blocks_at(mark, which, fork_number::main).has_value();
  };
  EXPECT_TRUE(exists(open, kept));
  EXPECT_TRUE(exists(open, made));
  EXPECT_TRUE(exists(rolled_back, kept));
  EXPECT_FALSE(exists(rolled_back, made));
  EXPECT_TRUE(exists(before, dropped));
  EXPECT_FALSE(exists(committed, dropped));
  EXPECT_FALSE(exists(committed, index));
  EXPECT_FALSE(judged.blocks_at(committed, dropped, fork_number::vm).has_value());
  EXPECT_TRUE(exists(two_phase, prepared));
  EXPECT_FALSE(exists(finished, prepared));
  EXPECT_EQ(judged.count(rolled_back, committed, {"rmgr: Transaction", "COMMIT", "rels:"}), 1u);
  EXPECT_EQ(judged.count(two_phase, finished, {"COMMIT_PREPARED", "rels:"}), 1u);
  EXPECT_EQ(judged.count(finished, all, {"rmgr: Database", "DROP"}), 2u);
  EXPECT_EQ(judged.count(one_database, all, {"rmgr: Tablespace", "DROP"}), 1u);
  for (const lsn mark : {open, rolled_back, two_phase, finished, one_database, all})
    judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(all);
  EXPECT_EQ(databases_of(*server),
            (std::vector<std::string>{"postgres", "template0", "template1"}));
  EXPECT_EQ(server->value("select count(*) from kept"), "500");
}

TEST(relation_map_updates, of_shared_and_database_catalogs_are_versioned_each_for_itself) {
  judged_server judged;
  judged.server().start();
  judged.take_base();
  const auto path = [&](const char* catalog) {
    return judged.server().value("select pg_relation_filepath('" + std::string(catalog) + "')");
  };
  const relation_id shared = judged_server::relation_of(path("pg_database"));
  const relation_id own = judged_server::relation_of(path("pg_class"));
  const lsn before = judged.mark();
  judged.run({"vacuum full pg_class"});
  const lsn vacuumed = judged.mark();
  judged.run(
      {"vacuum full pg_database", "cluster pg_attribute using pg_attribute_relid_attnum_index"});
  const lsn clustered = judged.mark();
  judged.run({"reindex table pg_authid"});
  const lsn indexed = judged.mark();
  judged.run({"begin", "reindex table pg_proc"});
  const lsn open = judged.mark();
  judged.run({"rollback"});
  const lsn rolled_back = judged.mark();
  const std::vector<std::string> paths{path("pg_class"), path("pg_database"),
                                       path("pg_authid_oid_index")};
  judged.ingest();

  EXPECT_EQ(judged.count(before, vacuumed, {"rmgr: RelMap", "database 5"}), 1u);
  EXPECT_EQ(judged.count(vacuumed, clustered, {"rmgr: RelMap", "database 0 "}), 1u);
  EXPECT_EQ(judged.count(vacuumed, clustered, {"rmgr: RelMap", "database 5"}), 1u);
  EXPECT_GE(judged.count(clustered, indexed, {"rmgr: RelMap", "database 0 "}), 1u);
  EXPECT_EQ(judged.count(indexed, rolled_back, {"rmgr: RelMap"}), 0u);
  EXPECT_NE(judged.value_at(before, map_of(own)), judged.value_at(vacuumed, map_of(own)));
  const key global = key::relation_map(shared.tablespace, 0);
  EXPECT_EQ(judged.value_at(before, global), judged.value_at(vacuumed, global));
  EXPECT_NE(judged.value_at(vacuumed, global), judged.value_at(clustered, global));
  EXPECT_NE(judged.value_at(clustered, global), judged.value_at(indexed, global));
  EXPECT_NE(judged.value_at(vacuumed, map_of(own)), judged.value_at(clustered, map_of(own)));
  EXPECT_EQ(judged.value_at(clustered, map_of(own)), judged.value_at(rolled_back, map_of(own)));
  for (const lsn mark : {vacuumed, clustered, open, rolled_back})
    judged.expect_recovery_agrees(mark);
  const auto server = judged.start_at(rolled_back);
  EXPECT_EQ(server->value("select pg_relation_filepath('pg_class')"), paths[0]);
  EXPECT_EQ(server->value("select pg_relation_filepath('pg_database')"), paths[1]);
  EXPECT_EQ(server->value("select pg_relation_filepath('pg_authid_oid_index')"), paths[2]);
}

}  // namespace
}  // namespace zenith
