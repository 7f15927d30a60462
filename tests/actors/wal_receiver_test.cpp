// The receiver's loop: it says why it does not stream, begins again, and ends when it is told.
#include "actors/wal_receiver.hpp"

#include <gtest/gtest.h>

#include "actors/system_config.hpp"
#include "actors/timeline.hpp"
#include "tests/actors/made_timeline.hpp"
#include "tests/actors/stand_in_supervisor.hpp"
#include "tests/actors/told_problems.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

TEST(wal_receiver, says_why_it_does_not_stream_begins_again_and_ends_when_told) {
  const testing::temporary_directory directory;
  testing::postgres_server server(directory, testing::postgres_server::options{});
  made_timeline made;
  told_problems told;
  system_config config(2);
  caf::actor_system system(config);
  timeline_parameters opened;
  opened.store = made.parameters();
  const auto followed = system.spawn<caf::detached>(timeline, opened, timeline_actor{});
  const auto supervisor = system.spawn(
      stand_in_supervisor,
      std::function<void(std::string)>([&](std::string problem) { told.put(std::move(problem)); }));
  receiver_parameters how;
  how.compute = "pg";
  how.conninfo = server.conninfo();
  how.slot = "zenith";
  how.application = "zenith";
  how.expected = {made.parameters().metadata.system, pg_timeline{1},
                  made_timeline::segment_size_bytes};
  how.backoff_min = 10ms;
  how.backoff_max = 50ms;
  const auto receiver = system.spawn<caf::detached>(wal_receiver, how, followed, supervisor);
  EXPECT_TRUE(told.wait_for("cannot connect", 3));

  server.start();
  EXPECT_TRUE(told.wait_for("expected 77: it is another cluster", 2));
  EXPECT_EQ(server.value("select count(*) from pg_replication_slots"), "0");

  caf::scoped_actor self(system);
  self->monitor(receiver);
  caf::anon_send_exit(receiver, caf::exit_reason::user_shutdown);
  bool ended = false;
  self->receive([&](const caf::down_msg&) { ended = true; }, caf::after(20s) >> [] {});
  EXPECT_TRUE(ended);

  // It ends with the timeline that it feeds, too: what it asks would never be answered.
  const auto another = system.spawn<caf::detached>(wal_receiver, how, followed, supervisor);
  self->monitor(another);
  caf::anon_send_exit(followed, caf::exit_reason::user_shutdown);
  ended = false;
  self->receive([&](const caf::down_msg&) { ended = true; }, caf::after(20s) >> [] {});
  EXPECT_TRUE(ended);
  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
}

}  // namespace
}  // namespace zenith::actors
