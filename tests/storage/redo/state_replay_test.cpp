// State rebuilt from a real server's WAL must be what the server has on disk after a clean stop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <vector>

#include "tests/support/cluster_files.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/postgres_server.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <catalog/pg_control.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::testing {
namespace {

namespace fs = std::filesystem;

/// A server whose files right after initdb were kept.
class observed_server {
 public:
  explicit observed_server(const std::string& configuration = "",
                           std::vector<std::string> initdb = {"-k"})
      : server_(directory_,
                {std::move(initdb),
                 "autovacuum=off\nwal_recycle=off\nwal_keep_size=8GB\nmax_wal_size=8GB\n"
                 "max_prepared_transactions=10\nallow_in_place_tablespaces=on\n"
                 "max_replication_slots=10\n" +
                     configuration}) {
    before_ = cluster_files::read(server_.data());
    before_.give_to(sink_);
    const auto control = load<ControlFileData>(before_.values[key::control()].data());
    start_ = lsn{control.checkPoint};
    // What a base gives besides the files: the counters.
    const CheckPoint& checkpoint = control.checkPointCopy;
    bytes xid(8), oid(4), multixact(8);
    store(xid.data(), checkpoint.nextXid.value);
    store(oid.data(), checkpoint.nextOid);
    store(multixact.data(), checkpoint.nextMulti);
    store(multixact.data() + 4, checkpoint.nextMultiOffset);
    sink_.set_value(key::next_full_xid(), xid);
    sink_.set_value(key::next_oid(), oid);
    sink_.set_value(key::next_multixact(), multixact);
  }

  postgres_server& server() { return server_; }
  memory_sink& sink() { return sink_; }

  /// RelationCopyStorageUsingBuffer (bufmgr.c) logs map pages as if they were laid out as others
  /// are: what they hold is the hole of their images. WAL gives them with no bits set.
  enum class map_pages { same, fewer_bits };
  void expect_map_pages(map_pages how) { map_pages_ = how; }

  /// Stops the server and ingests its WAL; before its last record, the counters are compared with
  /// what this record, the shutdown checkpoint, says.
  void stop_and_replay() {
    if (server_.running()) server_.stop();
    std::vector<std::string> errors;
    lsn last;
    for_each_record(server_.data(), start_, [&](const pg::record& record) { last = record.start; });
    for_each_record(server_.data(), start_, [&](const pg::record& record) {
      if (record.start == last) expect_counters_of(record);
      if (auto done = sink_.replay(record); !done && errors.size() < 20)
        errors.push_back(done.error().message);
    });
    EXPECT_EQ(errors, std::vector<std::string>{});
    after_ = cluster_files::read(server_.data());
    SCOPED_TRACE(fmt::format("{} records, {} put_record, {} put_value, {} put_relation",
                             sink_.counts().records, sink_.counts().put_records,
                             sink_.counts().put_values, sink_.counts().put_relations));
    expect_values();
    expect_sizes();
    expect_visibility_maps();
  }

  const cluster_files& files() const { return after_; }

 private:
  void expect_counters_of(const pg::record& shutdown) {
    ASSERT_EQ(pg::describe(shutdown).substr(0, 24), "XLOG/CHECKPOINT_SHUTDOWN");
    ASSERT_EQ(shutdown.main_data.size(), sizeof(CheckPoint));
    const auto checkpoint = load<CheckPoint>(shutdown.main_data.data());
    EXPECT_EQ(sink_.number(key::next_full_xid()), checkpoint.nextXid.value);
    EXPECT_GE(sink_.number(key::next_oid()), checkpoint.nextOid);
    const auto multixact = *sink_.value(key::next_multixact());
    EXPECT_EQ(load<uint32_t>(multixact.data()), checkpoint.nextMulti);
    EXPECT_EQ(load<uint32_t>(multixact.data() + 4), checkpoint.nextMultiOffset);
    const auto control = load<ControlFileData>(sink_.value(key::control())->data());
    const CheckPoint& now = control.checkPointCopy;
    // A limit that moved and cut nothing is told by no record but a checkpoint.
    EXPECT_LE(static_cast<int32_t>(now.oldestXid - checkpoint.oldestXid), 0);
    EXPECT_LE(static_cast<int32_t>(now.oldestMulti - checkpoint.oldestMulti), 0);
    EXPECT_EQ(now.oldestCommitTsXid, checkpoint.oldestCommitTsXid);
    EXPECT_EQ(now.newestCommitTsXid, checkpoint.newestCommitTsXid);
    EXPECT_EQ(now.fullPageWrites, checkpoint.fullPageWrites);
  }

  /// Every value that a file holds, and no other.
  void expect_values() {
    const std::set<key> counters{key::next_full_xid(), key::next_oid(), key::next_multixact()};
    for (const auto& [k, value] : after_.values) {
      const auto ours = sink_.value(k);
      ASSERT_TRUE(ours.has_value()) << to_string(k) << " is missing";
      if (k == key::control()) {
        expect_control(load<ControlFileData>(value.data()), load<ControlFileData>(ours->data()));
      } else {
        EXPECT_TRUE(*ours == value)
            << to_string(k) << " differs from byte "
            << std::mismatch(ours->begin(), ours->end(), value.begin(), value.end()).first -
                   ours->begin();
      }
    }
    for (const auto& [k, value] : sink_.values())
      EXPECT_TRUE(after_.values.contains(k) || counters.contains(k))
          << to_string(k) << " is not on disk";
    for (const auto& [k, failed] : sink_.page_errors())
      if (failed.code != errc::unsupported) ADD_FAILURE() << failed.message;
  }

  /// All but when the file was written, its CRC, and the LSN that unlogged relations count on.
  static void expect_control(ControlFileData theirs, ControlFileData ours) {
    EXPECT_EQ(ours.crc,
              crc32c({reinterpret_cast<const std::byte*>(&ours), offsetof(ControlFileData, crc)}));
    ours.time = theirs.time;
    ours.unloggedLSN = theirs.unloggedLSN;
    ours.crc = theirs.crc;
    const auto* a = reinterpret_cast<const std::byte*>(&theirs);
    const auto* b = reinterpret_cast<const std::byte*>(&ours);
    for (size_t i = 0; i < sizeof theirs; ++i)
      EXPECT_EQ(a[i], b[i]) << "control data differ at byte " << i;
  }

  /// Forks that no WAL describes: those of unlogged relations, but for the init fork.
  bool is_unlogged(const key& size) const {
    return size.relation_fork() != fork_number::init &&
           after_.sizes.contains(key::size(size.relation(), fork_number::init));
  }

  void expect_sizes() {
    for (const auto& [k, size] : after_.sizes) {
      if (k.relation_fork() == fork_number::fsm || is_unlogged(k)) continue;
      const auto ours = sink_.blocks(k.relation(), k.relation_fork());
      if (!ours) {
        // A dropped relation's first file stays, empty, until the next checkpoint.
        EXPECT_EQ(size, 0u) << to_string(k) << " is missing";
        continue;
      }
      EXPECT_LE(*ours, size) << to_string(k);
      // The server may have more: pages that it added, all zeros, and did not use yet.
      for (block_number block = *ours; block < size; ++block)
        EXPECT_TRUE(after_.blocks.at(key::block(k.relation(), k.relation_fork(), block)).data ==
                    page{}.data)
            << to_string(k) << " has block " << block;
    }
    for (const auto& [k, state] : sink_.relations())
      EXPECT_TRUE(after_.sizes.contains(k)) << to_string(k) << " is not on disk";
  }

  void expect_visibility_maps() {
    for (auto [k, theirs] : after_.blocks) {
      if (k.relation_fork() != fork_number::vm ||
          is_unlogged(key::size(k.relation(), fork_number::vm)))
        continue;
      auto ours = sink_.read_block(k.relation(), k.relation_fork(), k.d);
      ASSERT_TRUE(ours.has_value()) << ours.error().message;
      const size_t checksum = 8;  // pd_checksum
      store(theirs.begin() + checksum, uint16_t{0});
      store(ours->begin() + checksum, uint16_t{0});
      if (map_pages_ == map_pages::same) {
        EXPECT_TRUE(theirs.data == ours->data) << to_string(k);
      } else {
        for (size_t i = 0; i < page_size_bytes; ++i)
          ASSERT_EQ(ours->data[i] & ~theirs.data[i], std::byte{0}) << to_string(k) << " byte " << i;
      }
    }
  }

  temporary_directory directory_;
  postgres_server server_;
  cluster_files before_;
  cluster_files after_;
  memory_sink sink_;
  lsn start_;
  map_pages map_pages_ = map_pages::same;
};

TEST(state_replay, a_server_that_does_nothing_leaves_its_state) {
  observed_server observed;
  observed.server().start();
  observed.stop_and_replay();
}

TEST(state_replay, transactions_leave_the_statuses_and_timestamps_that_the_server_has) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int)");
  // More subtransactions than a page of pg_xact has, half of them rolled back.
  server.execute(R"(DO $$ BEGIN
    FOR i IN 1..34000 LOOP
      BEGIN
        INSERT INTO t VALUES (i);
        IF i % 2 = 0 THEN RAISE EXCEPTION 'back'; END IF;
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
    END LOOP; END $$)");
  server.execute(
      "DO $$ BEGIN FOR i IN 1..500 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$");
  server.execute("CHECKPOINT");
  for (const char* end : {"COMMIT", "ROLLBACK"})
    server.execute(
        fmt::format("BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; INSERT INTO t VALUES "
                    "(2); {}",
                    end));
  // Prepared: one is committed, one rolled back, two stay.
  for (int i = 0; i < 4; ++i)
    server.execute(
        fmt::format("BEGIN; CREATE TABLE p{0} (i int); SAVEPOINT a; INSERT INTO t VALUES "
                    "({0}); PREPARE TRANSACTION 'prepared {0}'",
                    i));
  server.execute("COMMIT PREPARED 'prepared 0'");
  server.execute("ROLLBACK PREPARED 'prepared 1'");
  // Left open when the server stops.
  sql_session open(server.conninfo());
  open.execute("BEGIN; INSERT INTO t VALUES (3)");
  observed.stop_and_replay();
  EXPECT_GE(observed.sink().counts().transaction_ends, 500u);
  size_t prepared = 0;
  for (const auto& [k, value] : observed.files().values) prepared += k.kind == key_kind::two_phase;
  EXPECT_EQ(prepared, 2u);
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::xact, 1)));
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::commit_ts, 40)));
}

TEST(state_replay, commit_timestamps_can_be_switched_on_and_off) {
  observed_server observed;
  auto& server = observed.server();
  for (const char* setting : {"on", "off", "on"}) {
    server.start({"-c", fmt::format("track_commit_timestamp={}", setting)});
    server.execute("CREATE TABLE t (i int); DROP TABLE t");
    server.stop();
  }
  observed.stop_and_replay();
}

TEST(state_replay, multixacts_leave_the_offsets_and_members_that_the_server_has) {
  observed_server observed;
  auto& server = observed.server();
  server.start();
  server.execute(
      "CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 6000)");
  sql_session other(server.conninfo());
  other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
  // Every subtransaction locks one row more: as many multixacts, each of two.
  server.execute(R"(DO $$ BEGIN
    FOR n IN 1..5000 LOOP
      BEGIN
        PERFORM FROM t WHERE i = n FOR KEY SHARE;
      EXCEPTION WHEN raise_exception THEN NULL;
      END;
    END LOOP; END $$)");
  other.execute("COMMIT");
  observed.stop_and_replay();
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::multixact_offsets, 2)));
  EXPECT_TRUE(observed.files().values.contains(key::slru(slru_kind::multixact_members, 6)));
}

TEST(state_replay, truncated_slrus_lose_the_segments_that_the_server_removes) {
  observed_server observed("track_commit_timestamp=on\nsynchronous_commit=off\n");
  auto& server = observed.server();
  server.start();
  // More transaction ids than a segment of pg_xact has, more multixacts than one of the offsets.
  for (int i = 0; i < 11; ++i)
    server.execute(R"(DO $$ BEGIN
      FOR n IN 1..100000 LOOP
        BEGIN
          PERFORM pg_logical_emit_message(true, '', '');
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)");
  server.execute("CREATE TABLE t (i int PRIMARY KEY)");
  server.execute("INSERT INTO t SELECT generate_series(1, 70000)");
  {
    sql_session other(server.conninfo());
    other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
    server.execute(R"(DO $$ BEGIN
      FOR n IN 1..70000 LOOP
        BEGIN
          PERFORM FROM t WHERE i = n FOR KEY SHARE;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)");
  }
  server.execute("UPDATE pg_database SET datallowconn = true");
  for (const char* database : {"template0", "template1", "postgres"}) {
    sql_session session(server.conninfo(database));
    session.execute("SET vacuum_multixact_freeze_min_age = 0");
    session.execute("VACUUM (FREEZE)");
  }
  observed.stop_and_replay();
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::xact, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::commit_ts, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::multixact_offsets, 0)));
  EXPECT_FALSE(observed.files().values.contains(key::slru(slru_kind::multixact_members, 0)));
}

TEST(state_replay, databases_tablespaces_and_maps_are_those_of_the_server) {
  observed_server observed;
  observed.expect_map_pages(observed_server::map_pages::fewer_bits);
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLESPACE one LOCATION ''");
  server.execute("CREATE TABLESPACE two LOCATION ''");
  server.execute("CREATE DATABASE logged STRATEGY wal_log");
  {
    sql_session session(server.conninfo("logged"));
    session.execute(
        "CREATE TABLE t AS SELECT generate_series(1, 10000) AS i; CREATE INDEX ON t (i);"
        "CREATE UNLOGGED TABLE u (i int); CREATE TABLE away (i int) TABLESPACE two;"
        "INSERT INTO away VALUES (1)");
    session.execute("VACUUM FULL pg_class");  // its relation map
    session.execute("VACUUM t");
  }
  server.execute("VACUUM FULL pg_database");  // the global one
  server.execute("CREATE DATABASE copied TEMPLATE logged STRATEGY file_copy");
  server.execute("CREATE DATABASE elsewhere TEMPLATE logged TABLESPACE one STRATEGY file_copy");
  server.execute("CREATE DATABASE dropped TEMPLATE copied STRATEGY wal_log TABLESPACE one");
  server.execute("ALTER DATABASE copied SET TABLESPACE one");
  server.execute("DROP DATABASE dropped");
  server.execute("CREATE TABLESPACE three LOCATION ''");
  server.execute("DROP TABLESPACE three");
  observed.stop_and_replay();
}

/// Without checksums no image of a map page is logged when it is truncated.
class relations_replay : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(checksums, relations_replay, ::testing::Bool());

TEST_P(relations_replay, relations_have_the_forks_and_sizes_that_the_server_has) {
  observed_server observed(
      "", GetParam() ? std::vector<std::string>{"-k"} : std::vector<std::string>{});
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int, filler char(500) default 'x')");
  server.execute("INSERT INTO t SELECT generate_series(1, 30000)");
  server.execute("VACUUM t");
  // Cuts the main fork and clears the tails of its maps.
  server.execute("DELETE FROM t WHERE i > 3000");
  server.execute("VACUUM t");
  EXPECT_LT(std::stoi(server.value("SELECT pg_relation_size('t') / 8192")), 300);
  server.execute("INSERT INTO t SELECT generate_series(1, 5000)");
  server.execute(
      "BEGIN; CREATE TABLE twice (i int); INSERT INTO twice VALUES (1); TRUNCATE twice;"
      "INSERT INTO twice VALUES (2); COMMIT");
  server.execute("CREATE TABLE emptied AS SELECT generate_series(1, 1000) AS i; TRUNCATE emptied");
  server.execute(
      "CREATE TABLE gone (i serial PRIMARY KEY, b text); INSERT INTO gone (b) VALUES ('a');"
      "DROP TABLE gone");
  server.execute("BEGIN; CREATE TABLE never AS SELECT generate_series(1, 1000) AS i; ROLLBACK");
  server.execute("CREATE SEQUENCE s; SELECT nextval('s') FROM generate_series(1, 100)");
  server.execute("SELECT lo_create(0) FROM generate_series(1, 100)");
  server.execute("SELECT lo_from_bytea(0, decode(repeat('ab', 100000), 'hex'))");
  server.execute("CREATE UNLOGGED TABLE u (i int PRIMARY KEY); INSERT INTO u VALUES (1)");
  server.execute(
      "CREATE INDEX ON t USING hash (i); CREATE INDEX ON t USING brin (i);"
      "CREATE INDEX ON t USING gin ((array[i])); CREATE INDEX ON t USING gist (point(i, i));"
      "CREATE INDEX ON t USING spgist (point(i, i))");
  server.execute("INSERT INTO t SELECT generate_series(1, 5000)");
  server.execute("CHECKPOINT; DROP TABLE emptied");
  observed.stop_and_replay();
}

TEST(state_replay, replication_origins_advance_as_the_server_s_do) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int)");
  for (const char* name : {"a", "b", "c"})
    server.execute(fmt::format("SELECT pg_replication_origin_create('{}')", name));
  server.execute("SELECT pg_replication_origin_advance('a', '0/1234')");
  server.execute("SELECT pg_replication_origin_advance('c', '0/99')");
  server.execute("SELECT pg_replication_origin_session_setup('b')");
  server.execute(
      "BEGIN; SELECT pg_replication_origin_xact_setup('5/6000', '2001-02-03'); INSERT INTO t "
      "VALUES (1); COMMIT");
  server.execute(
      "BEGIN; SELECT pg_replication_origin_xact_setup('5/5000', '2002-02-03'); INSERT INTO t "
      "VALUES (1); SAVEPOINT a; INSERT INTO t VALUES (2); COMMIT");
  server.execute("SELECT pg_replication_origin_session_reset()");
  server.execute("SELECT pg_replication_origin_drop('c')");
  observed.stop_and_replay();
  EXPECT_EQ(observed.sink().number(key::replication_origin(2)), 0x500006000u);
}

TEST(state_replay, a_crash_and_its_recovery_leave_the_state_that_the_server_has) {
  observed_server observed("track_commit_timestamp=on\n");
  auto& server = observed.server();
  server.start();
  server.execute("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 1000)");
  server.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'kept'");
  {
    sql_session open(server.conninfo());
    open.execute("BEGIN; INSERT INTO t VALUES (3); SAVEPOINT a; INSERT INTO t VALUES (4)");
    server.execute("INSERT INTO t VALUES (5)");
    server.kill();
  }
  server.start();
  server.execute("INSERT INTO t VALUES (6)");
  observed.stop_and_replay();
}

}  // namespace
}  // namespace zenith::testing
