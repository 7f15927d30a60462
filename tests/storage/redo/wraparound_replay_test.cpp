// A real server whose numbers go round: transaction ids, multixacts and their members past 2^32.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/storage/redo/observed_server.hpp"

namespace zenith::testing {
namespace {

constexpr uint32_t first_xid = UINT32_MAX - 20'000;
constexpr uint32_t first_multixact = UINT32_MAX - 1'500;
constexpr uint32_t first_member = UINT32_MAX - 2'500;

class wraparound : public ::testing::Test {
 protected:
  void freeze_everything() {
    for (const char* database : {"template0", "template1", "postgres"}) {
      sql_session session(server.conninfo(database));
      session.execute("SET vacuum_multixact_freeze_min_age = 0");
      session.execute("VACUUM (FREEZE)");
    }
  }

  /// A segment of zeros: what stands there of the ids before the next one.
  void make_segment(const char* folder, uint32_t page_number) {
    const auto name = server.data() / folder / fmt::format("{:04X}", page_number / 32);
    run_ok({"truncate", "-s", std::to_string(32 * page_size_bytes), name.string()});
  }

  /// A server whose tables know no id, and whose next ones are the last there are.
  void start_before_the_end() {
    server.start();
    server.execute("CREATE TABLE t (i int PRIMARY KEY)");
    server.execute("INSERT INTO t SELECT generate_series(1, 4000)");
    server.execute("UPDATE pg_database SET datallowconn = true");
    freeze_everything();
    server.stop();
    run_ok({pg_program("pg_resetwal"), "-x", std::to_string(first_xid), "-u",
            std::to_string(first_xid), "-e", "4", "-m",
            fmt::format("{},{}", first_multixact, first_multixact), "-O",
            std::to_string(first_member), "-D", server.data().string()});
    make_segment("pg_xact", first_xid / 32768);
    make_segment("pg_multixact/offsets", first_multixact / 2048);
    make_segment("pg_multixact/members", first_member / 1636);
    server.start();
    freeze_everything();
    server.stop();
    observed.begin_here();
    server.start();
  }

  void take_transaction_ids(int count) {
    server.execute(fmt::format(R"(DO $$ BEGIN
      FOR n IN 1..{} LOOP
        BEGIN
          PERFORM pg_logical_emit_message(true, '', '');
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)",
                               count));
  }

  /// As many multixacts, each with two members.
  void take_multixacts(int count) {
    sql_session other(server.conninfo());
    other.execute("BEGIN; SELECT count(*) FROM (SELECT FROM t FOR KEY SHARE) AS locked");
    server.execute(fmt::format(R"(DO $$ BEGIN
      FOR n IN 1..{} LOOP
        BEGIN
          PERFORM FROM t WHERE i = n FOR KEY SHARE;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
      END LOOP; END $$)",
                               count));
  }

  bool has(slru_kind slru, uint32_t page_number) const {
    return observed.files().values.contains(key::slru(slru, page_number));
  }

  observed_server observed{"track_commit_timestamp=on\nsynchronous_commit=off\n"};
  postgres_server& server = observed.server();
};

TEST_F(wraparound, of_ids_multixacts_and_members_leaves_what_the_server_has) {
  start_before_the_end();
  take_transaction_ids(50'000);
  take_multixacts(4'000);
  observed.stop_and_replay();
  EXPECT_EQ(observed.sink().number(key::next_full_xid()) >> 32, 5u);
  EXPECT_TRUE(has(slru_kind::xact, first_xid / 32768));
  EXPECT_TRUE(has(slru_kind::xact, 0));
  EXPECT_TRUE(has(slru_kind::commit_ts, UINT32_MAX / 819));
  EXPECT_TRUE(has(slru_kind::multixact_offsets, UINT32_MAX / 2048));
  EXPECT_TRUE(has(slru_kind::multixact_offsets, 1));
  EXPECT_TRUE(has(slru_kind::multixact_members, UINT32_MAX / 1636));
  EXPECT_TRUE(has(slru_kind::multixact_members, 2));
}

TEST_F(wraparound, and_a_truncation_after_it_leave_what_the_server_has) {
  start_before_the_end();
  take_transaction_ids(50'000);
  take_multixacts(4'000);
  take_transaction_ids(1'000'000);  // past a segment of pg_xact
  freeze_everything();
  observed.stop_and_replay();
  EXPECT_FALSE(has(slru_kind::xact, first_xid / 32768));
  EXPECT_FALSE(has(slru_kind::commit_ts, UINT32_MAX / 819));
  EXPECT_FALSE(has(slru_kind::multixact_offsets, UINT32_MAX / 2048));
  EXPECT_FALSE(has(slru_kind::multixact_members, UINT32_MAX / 1636));
}

}  // namespace
}  // namespace zenith::testing
