// Following a server: which one is refused, and what a real one says and sends.
#include "actors/replication.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "protocol/postgres/replication.hpp"
#include "storage/postgres/wal_page.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t segment_size_bytes = 16 << 20;
constexpr server_identity found{150020, system_identifier{7}, pg_timeline{2}, lsn{0x2000100},
                                segment_size_bytes};

result<void> check(const server_identity& server, uint64_t system, uint32_t timeline) {
  return check_server(server,
                      {system_identifier{system}, pg_timeline{timeline}, segment_size_bytes});
}

void expect_refused(const result<void>& checked, errc code, const std::string& words) {
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, code);
  EXPECT_NE(checked.error().message.find(words), std::string::npos) << checked.error().message;
}

TEST(server, of_the_same_cluster_and_pg_timeline_is_followed) {
  EXPECT_TRUE(check(found, 7, 2));
  EXPECT_TRUE(check_nothing_lost(found, found.flushed));
}

TEST(server, that_is_another_one_is_refused_with_what_was_expected_and_found) {
  expect_refused(check(found, 8, 2), errc::conflict, "system identifier is 7, expected 8");
  // Its history has to tell.
  EXPECT_TRUE(check(found, 7, 1));
  expect_refused(check(found, 7, 3), errc::conflict, "pg_timeline 2, expected 3");
  server_identity newer = found;
  newer.version = 160001;
  expect_refused(check(newer, 7, 2), errc::unsupported, "PostgreSQL 16, expected 15");
  server_identity smaller = found;
  smaller.segment_size_bytes = 1 << 20;
  expect_refused(check(smaller, 7, 2), errc::conflict,
                 "segments have 1048576 bytes, expected 16777216");
}

TEST(server, that_sends_wal_twice_or_leaves_some_out_is_refused) {
  EXPECT_TRUE(check_follows(lsn{0x2000100}, lsn{0x2000100}));
  expect_refused(check_follows(lsn{0x2000108}, lsn{0x2000100}), errc::corrupt,
                 "from 0/2000108, expected it from 0/2000100: 8 bytes are left out");
  expect_refused(check_follows(lsn{0x20000F0}, lsn{0x2000100}), errc::corrupt,
                 "from 0/20000F0, expected it from 0/2000100: 16 bytes before it come again");
}

TEST(server, says_how_long_its_segments_are) {
  EXPECT_EQ(parse_segment_size("1MB"), uint32_t{1} << 20);
  EXPECT_EQ(parse_segment_size("64MB"), uint32_t{64} << 20);
  EXPECT_EQ(parse_segment_size("1GB"), uint32_t{1} << 30);
  for (const char* text :
       {"", "MB", "16", "16kB", "-1MB", "4GB", "1024GB", "99999999999999999999MB"})
    expect_refused(parse_segment_size(text).map([](uint32_t) {}), errc::corrupt, text);
}

TEST(server, that_lost_wal_which_was_received_is_refused) {
  expect_refused(check_nothing_lost(found, found.flushed + 1), errc::conflict,
                 "written up to 0/2000100, the timeline holds its WAL up to 0/2000101");
}

bool always() { return true; }

TEST(connection, to_a_server_that_is_not_there_says_so) {
  const testing::temporary_directory directory;
  const auto connected = replication_connection::connect(
      "host=" + directory.path().string() + " replication=true", 5s, always);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, errc::unavailable);
  EXPECT_EQ(connected.error().message.find('\n'), std::string::npos);
}

// A real server is slow to make: all that is asked of one is asked here.
TEST(connection, to_a_real_server_identifies_makes_a_slot_once_and_streams) {
  const testing::temporary_directory directory;
  testing::postgres_server server(directory, testing::postgres_server::options{});
  server.start();
  const std::string conninfo = server.conninfo() + " replication=true";
  const auto given_up = replication_connection::connect(conninfo, 10s, [] { return false; });
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().message, "the connection is no longer wanted");

  auto connected = replication_connection::connect(conninfo, 10s, always);
  ASSERT_TRUE(connected) << connected.error().message;
  const auto identity = connected->identify();
  ASSERT_TRUE(identity) << identity.error().message;
  const auto system =
      std::stoull(server.value("select system_identifier from pg_control_system()"));
  EXPECT_TRUE(check(*identity, system, 1));
  expect_refused(check(*identity, system + 1, 1), errc::conflict, std::to_string(system));
  EXPECT_LE(identity->flushed, *parse_lsn(server.value("select pg_current_wal_flush_lsn()")));

  ASSERT_TRUE(connected->ensure_slot("zenith"));
  ASSERT_TRUE(connected->ensure_slot("zenith"));
  EXPECT_EQ(server.value("select count(*) from pg_replication_slots where restart_lsn is not null"),
            "1");
  EXPECT_EQ(server.log().find("already exists"), std::string::npos);
  EXPECT_FALSE(connected->ensure_slot("No Such Name"));

  const lsn from = pg::wal_page_start(identity->flushed);
  const auto refused = connected->start("zenith", from, pg_timeline{9});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("timeline 9"), std::string::npos)
      << refused.error().message;
  ASSERT_TRUE(connected->start("zenith", from, pg_timeline{1}));
  server.execute("select pg_logical_emit_message(true, 'a', 'wanted by the test')");
  const lsn until = *parse_lsn(server.value("select pg_current_wal_flush_lsn()"));
  bytes received;
  while (from + received.size() < until) {
    pollfd polled{connected->descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&polled, 1, 10'000), 1);
    ASSERT_TRUE(connected->consume());
    for (;;) {
      const auto message = connected->next();
      ASSERT_TRUE(message) << message.error().message;
      if (!*message) break;
      const auto parsed = wire::parse_replication_message(**message);
      ASSERT_TRUE(parsed) << parsed.error().message;
      const auto* data = std::get_if<wire::xlog_data>(&*parsed);
      if (data == nullptr) continue;
      EXPECT_EQ(data->start, from + received.size());
      received.insert(received.end(), data->wal.begin(), data->wal.end());
    }
  }
  EXPECT_NE(as_text(received).find("wanted by the test"), std::string::npos);

  server.kill();
  result<void> broken;
  while (broken) {
    pollfd polled{connected->descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&polled, 1, 10'000), 1);
    broken = connected->consume();
    for (auto message = connected->next(); broken; message = connected->next()) {
      if (!message)
        broken = tl::unexpected<error>(message.error());
      else if (!*message)
        break;
    }
  }
  EXPECT_EQ(broken.error().code, errc::unavailable);
}

}  // namespace
}  // namespace zenith::actors
