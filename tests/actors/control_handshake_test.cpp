// The hand-shake over a real socket: who passes, who is refused, and who has waited too long.
#include "actors/control_handshake.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>

#include "actors/sockets.hpp"

namespace zenith::actors {
namespace {

using namespace std::chrono_literals;

control::secret secret_of(uint8_t value) {
  control::secret secret;
  secret.fill(std::byte{value});
  return secret;
}

class hand_shake : public ::testing::Test {
 protected:
  hand_shake() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    server_end = descriptor(ends[0]);
    client_end = descriptor(ends[1]);
  }
  std::future<result<void>> serve(std::chrono::milliseconds timeout) {
    return std::async(std::launch::async, [this, timeout] {
      auto done = shake_hands(server_end.get(), control::side::server, secret_of(1), timeout);
      if (!done) server_end = descriptor();
      return done;
    });
  }
  void client_says(const std::string& text) {
    ASSERT_EQ(send(client_end.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  bool client_hears_nothing() {
    char byte = 0;
    return recv(client_end.get(), &byte, 1, 0) == 0;
  }

  descriptor server_end, client_end;
};

TEST_F(hand_shake, passes_with_the_same_secret_and_leaves_what_follows_unread) {
  auto served = serve(10s);
  ASSERT_TRUE(shake_hands(client_end.get(), control::side::client, secret_of(1), 10s));
  client_says("next");
  ASSERT_TRUE(served.get());
  bytes next(4);
  ASSERT_TRUE(read_exactly(server_end.get(), next, std::chrono::steady_clock::now() + 10s));
  EXPECT_EQ(as_text(next), "next");
}

TEST_F(hand_shake, with_another_secret_is_refused_on_both_sides) {
  auto served = serve(10s);
  EXPECT_FALSE(shake_hands(client_end.get(), control::side::client, secret_of(2), 10s));
  const auto refused = served.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
}

TEST_F(hand_shake, that_is_none_is_refused_at_its_first_byte_without_an_answer) {
  auto served = serve(10s);
  client_says("G");
  const auto refused = served.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_TRUE(client_hears_nothing());
}

TEST_F(hand_shake, that_goes_silent_ends_at_the_deadline) {
  client_says("ZENCTL01");
  const auto began = std::chrono::steady_clock::now();
  const auto refused = serve(50ms).get();
  EXPECT_GE(std::chrono::steady_clock::now() - began, 50ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::unavailable);
  EXPECT_NE(refused.error().message.find("in time"), std::string::npos);
}

TEST_F(hand_shake, whose_peer_leaves_ends_at_once) {
  client_says("ZENCTL");
  client_end = descriptor();
  const auto refused = serve(60s).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::unavailable);
}

}  // namespace
}  // namespace zenith::actors
