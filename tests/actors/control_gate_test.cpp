// The gate of a real actor system: good clients pass among others that send garbage or nothing.
#include "actors/control_gate.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "actors/control_client.hpp"
#include "actors/system_config.hpp"
#include "tests/actors/stand_in_supervisor.hpp"
#include "tests/support/process.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

control::secret secret_of(uint8_t value) {
  control::secret secret;
  secret.fill(std::byte{value});
  return secret;
}

TEST(control_gate, lets_a_good_client_in_while_others_send_garbage_or_nothing) {
  const testing::temporary_directory directory;
  const std::filesystem::path socket = directory / "cli";
  auto listener = listen_on(socket);
  ASSERT_TRUE(listener) << listener.error().message;
  system_config config(2);
  caf::actor_system system(config);
  const auto supervisor = system.spawn(stand_in_supervisor, std::function<void(std::string)>());
  gate_parameters how;
  how.listener = std::make_shared<descriptor>(std::move(*listener));
  how.secret = secret_of(1);
  how.handshake_timeout = 1500ms;
  how.handshakes_max = 4;
  const auto gate = system.spawn(control_gate, how, supervisor);

  // More silent ones than may shake hands at a time, and some that talk something else.
  std::vector<descriptor> others;
  for (int i = 0; i < 12; ++i) {
    auto connected = connect_to(socket);
    ASSERT_TRUE(connected) << connected.error().message;
    const std::string garbage = i % 2 == 0 ? "" : std::string(100, static_cast<char>('A' + i));
    send(connected->get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    others.push_back(std::move(*connected));
  }
  const auto refused = control_client::connect(socket, secret_of(2), 5s);
  EXPECT_FALSE(refused);

  auto client = control_client::connect(socket, secret_of(1), 10s);
  ASSERT_TRUE(client) << client.error().message;
  const auto status = (*client)->ask<node_status>(status_atom::value);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->version, "stand-in");
  const auto tags = (*client)->ask<std::vector<tag_info>>(tags_atom::value);
  ASSERT_TRUE(tags && tags->size() == 1);
  EXPECT_EQ(tags->front().name, "v1");
  const auto branches = (*client)->ask<std::vector<branch_info>>(branches_atom::value);
  ASSERT_FALSE(branches);
  EXPECT_EQ(branches.error().code, errc::unsupported);
  EXPECT_EQ(branches.error().message, "not by this stand-in");

  caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
  const auto after_end = (*client)->ask<node_status>(status_atom::value);
  ASSERT_FALSE(after_end);
  EXPECT_EQ(after_end.error().code, errc::unavailable);
  caf::anon_send_exit(gate, caf::exit_reason::user_shutdown);
}

}  // namespace
}  // namespace zenith::actors
