// Receivers of streams that stop, repeat, jump, are damaged, or belong to another system: each is
// refused with what was expected and what came, and the timeline goes on once the source is right.
#include <gtest/gtest.h>

#include "actors/system_config.hpp"
#include "actors/timeline.hpp"
#include "actors/wal_receiver.hpp"
#include "tests/actors/made_timeline.hpp"
#include "tests/actors/scripted_sender.hpp"
#include "tests/actors/stand_in_supervisor.hpp"
#include "tests/actors/told_problems.hpp"
#include "tests/support/process.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;
using script = scripted_sender::stream;

class bad_streams : public ::testing::Test {
 protected:
  bad_streams() {
    timeline_parameters opened;
    opened.store = made.parameters();
    opened.arrival_timeout = 20s;
    followed = system.spawn<caf::detached>(timeline, opened, timeline_actor{});
    supervisor = system.spawn(
        stand_in_supervisor,
        std::function<void(std::string)>([this](std::string one) { told.put(std::move(one)); }));
  }
  ~bad_streams() override {
    caf::anon_send_exit(receiver, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(followed, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
    self->wait_for(receiver, followed, supervisor);
  }
  void follow(receiver_parameters how = {}) {
    how.compute = "pg";
    how.conninfo = server.conninfo();
    how.slot = "zenith";
    how.application = "zenith";
    how.expected = {system_identifier{77}, pg_timeline{1}, made_timeline::segment_size_bytes};
    how.backoff_min = 1ms;
    how.backoff_max = 10ms;
    receiver = system.spawn<caf::detached>(wal_receiver, how, followed, supervisor);
  }
  timeline_status status() {
    timeline_status answer;
    self->request(followed, 20s, status_atom::value)
        .receive([&](const timeline_status& said) { answer = said; },
                 [](caf::error& failure) { FAIL() << from_caf(failure).message; });
    return answer;
  }
  /// Waits for WAL up to there.
  void expect_readable(lsn at) {
    self->request(followed, 30s, view_atom::value, at)
        .receive([&](const view_ptr& view) { EXPECT_GE(view->until(), at); },
                 [](caf::error& failure) { FAIL() << from_caf(failure).message; });
  }
  /// A source that is right again is followed to the end.
  void expect_going_on(lsn from, bytes wal) {
    server.play({{{from, std::move(wal)}}});
    expect_readable(made.end());
    const auto now = status();
    EXPECT_EQ(lsn{now.last_lsn}, made.end());
    EXPECT_EQ(now.problem, "");
    const std::string wanted = "PHYSICAL " + to_string(from) + " TIMELINE 1";
    const auto starts = server.starts();
    EXPECT_TRUE(std::ranges::any_of(starts, [&](const std::string& one) {
      return one.find(wanted) != std::string::npos;
    })) << wanted;
  }

  testing::temporary_directory directory;
  made_timeline made;
  told_problems told;
  scripted_sender server{directory.path()};
  system_config config{2};
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  timeline_actor followed;
  supervisor_actor supervisor;
  caf::actor receiver;
};

TEST_F(bad_streams, that_stop_inside_a_record_are_asked_for_again_from_where_it_begins) {
  const lsn at = made.end();
  bytes wal = made.grow(2);
  const lsn whole = made.end();
  const bytes last = made.grow(1);
  wal.insert(wal.end(), last.begin(), last.end() - 8);
  server.play({{{at, wal}}, /*hangs_up=*/true});
  server.play({{}, /*hangs_up=*/true});
  follow();
  EXPECT_TRUE(told.wait_for("server", 2)) << told.text();
  expect_readable(whole);
  expect_going_on(whole, last);
}

// Until a record is whole, nothing of it can be confirmed; what is synced of it counts all the
// same.
TEST_F(bad_streams, are_none_where_a_record_is_larger_than_all_that_may_be_unsynced) {
  const lsn at = made.end();
  const bytes wal = made.grow_by(6000);
  script whole;
  constexpr size_t piece_bytes = 100;
  for (size_t from = 0; from < wal.size(); from += piece_bytes) {
    const byte_view piece = byte_view(wal).subspan(from, std::min(piece_bytes, wal.size() - from));
    whole.pieces.push_back({at + from, bytes(piece.begin(), piece.end())});
  }
  server.play(std::move(whole));
  receiver_parameters how;
  how.unsynced_max_bytes = 500;
  how.chunk_size_max_bytes = 1;  // each piece is passed on by itself
  follow(how);
  expect_readable(made.end());
  EXPECT_EQ(told.text(), "\n");  // it streams, and had no problem
}

TEST_F(bad_streams, that_repeat_are_refused_with_what_was_expected_and_what_came) {
  const lsn at = made.end();
  const bytes wal = made.grow(2);
  const lsn whole = made.end();
  server.play({{{at, wal}, {at, wal}}});
  follow();
  EXPECT_TRUE(told.wait_for("the server sent WAL from " + to_string(at) + ", expected it from " +
                            to_string(whole) + ": "))
      << told.text();
  expect_readable(whole);
  const bytes more = made.grow(1);
  expect_going_on(whole, more);
}

TEST_F(bad_streams, that_jump_are_refused_with_what_was_expected_and_what_came) {
  const lsn at = made.end();
  const bytes wal = made.grow(2);
  const lsn whole = made.end();
  const bytes more = made.grow(1);
  const lsn jumped = made.end();
  server.play({{{at, wal}, {jumped, bytes(64)}}});
  follow();
  EXPECT_TRUE(told.wait_for("the server sent WAL from " + to_string(jumped) +
                            ", expected it from " + to_string(whole) + ": " +
                            std::to_string(jumped - whole) + " bytes are left out"))
      << told.text();
  expect_readable(whole);
  expect_going_on(whole, more);
}

TEST_F(bad_streams, that_are_damaged_inside_are_refused_there_and_status_shows_it) {
  const lsn at = made.end();
  bytes wal = made.grow(2);
  const lsn whole = made.end();
  const bytes good = made.grow(1);
  bytes damaged = good;
  damaged[20] ^= std::byte{1};  // xl_crc
  wal.insert(wal.end(), damaged.begin(), damaged.end());
  server.play({{{at, wal}}});
  follow();
  const std::string place = "WAL record at " + to_string(whole) + ": CRC-32C: expected ";
  EXPECT_TRUE(told.wait_for("the timeline refused what the server sent: " + place)) << told.text();
  expect_readable(whole);
  const auto now = status();
  EXPECT_EQ(lsn{now.last_lsn}, whole);
  EXPECT_NE(now.problem.find(place), std::string::npos) << now.problem;
  expect_going_on(whole, good);
}

TEST_F(bad_streams, whose_pages_are_of_another_system_are_refused_there) {
  const lsn at = made.end();
  const lsn segment{2 * made_timeline::segment_size_bytes};
  // A record that ends its segment early, the rest of that, and a page that tells where it is from.
  bytes wal = made.switch_segment();
  ASSERT_EQ(made.end(), segment);
  wal.resize(segment - at);
  const bytes foreign = pg::encode_page_header(segment, pg_timeline{1}, 0, system_identifier{78},
                                               made_timeline::segment_size_bytes);
  wal.insert(wal.end(), foreign.begin(), foreign.end());
  server.play({{{at, wal}}});
  follow();
  EXPECT_TRUE(told.wait_for("WAL page at " + to_string(segment) +
                            ": system identifier: expected 77, found 78"))
      << told.text();
  expect_readable(segment);
  EXPECT_EQ(lsn{status().last_lsn}, segment);
}

TEST_F(bad_streams, are_not_begun_with_a_server_that_is_another_one) {
  struct wrong {
    scripted_sender::identity who;
    std::string words;
  };
  const wrong all[] = {
      {{.version = "16.1"}, "the server is PostgreSQL 16, expected 15"},
      {{.version = "14.9"}, "the server is PostgreSQL 14, expected 15"},
      {{.system = "78"}, "system identifier is 78, expected 77: it is another cluster"},
      {{.segment_size = "16MB"}, "WAL segments have 16777216 bytes, expected 1048576"},
      {{.timeline = "0"}, "is on pg_timeline 0, expected 1"},
      {{.flushed = "0/100000"}, "has written up to 0/100000, the timeline holds its WAL up to"},
      {{.system = "many"}, "answer to IDENTIFY_SYSTEM is not understood"},
      {{.segment_size = "16"}, "its WAL segments have \"16\", expected a number of MB or GB"},
  };
  server.become(all[0].who);
  follow();
  for (const wrong& one : all) {
    server.become(one.who);
    EXPECT_TRUE(told.wait_for(one.words)) << one.words << "\n" << told.text();
  }
  EXPECT_TRUE(server.starts().empty());
  server.become({});
  const lsn at = made.end();
  const bytes wal = made.grow(3);
  expect_going_on(at, wal);
}

}  // namespace
}  // namespace zenith::actors
