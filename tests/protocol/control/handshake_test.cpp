// The hand-shake: those who know the secret get through, all others learn nothing.
#include "protocol/control/handshake.hpp"

#include <gtest/gtest.h>

#include "tests/support/hostile_bytes.hpp"

namespace zenith::control {
namespace {

std::array<std::byte, 32> filled(uint8_t with) {
  std::array<std::byte, 32> value;
  value.fill(std::byte{with});
  return value;
}

/// Hands over what one end has to say, in pieces of at most `chunk` bytes.
result<void> deliver(handshake& from, handshake& to, size_t chunk = 1000) {
  const bytes data = std::move(from.output());
  from.output().clear();
  for (byte_view rest = data; !rest.empty();) {
    const size_t size = std::min({chunk, rest.size(), to.wanted_bytes()});
    if (size == 0) return fail(errc::invalid_argument, "unwanted bytes");
    ZENITH_TRY(to.feed(rest.first(size)));
    rest = rest.subspan(size);
  }
  return {};
}

TEST(handshake, lets_in_those_who_know_the_secret_in_any_chunking) {
  for (size_t chunk = 1; chunk <= 40; ++chunk) {
    handshake client(side::client, filled(1), random_32_bytes());
    handshake server(side::server, filled(1), random_32_bytes());
    EXPECT_TRUE(server.output().empty());
    ASSERT_TRUE(deliver(client, server, chunk).has_value());
    ASSERT_TRUE(deliver(server, client, chunk).has_value());
    EXPECT_FALSE(client.done());
    ASSERT_TRUE(deliver(client, server, chunk).has_value());
    EXPECT_TRUE(server.done());
    ASSERT_TRUE(deliver(server, client, chunk).has_value());
    EXPECT_TRUE(client.done());
    EXPECT_EQ(client.wanted_bytes(), 0u);
    EXPECT_EQ(server.wanted_bytes(), 0u);
  }
}

TEST(handshake, refuses_a_client_with_another_secret_and_proves_nothing_to_it) {
  handshake client(side::client, filled(1), filled(3));
  handshake server(side::server, filled(2), filled(4));
  ASSERT_TRUE(deliver(client, server).has_value());
  ASSERT_TRUE(deliver(server, client).has_value());
  const auto refused = deliver(client, server);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, errc::corrupt);
  EXPECT_TRUE(server.output().empty());
  EXPECT_FALSE(server.done());
  EXPECT_EQ(server.wanted_bytes(), 0u);
}

TEST(handshake, refuses_a_server_with_another_secret) {
  handshake client(side::client, filled(1), filled(3));
  handshake server(side::server, filled(1), filled(4));
  ASSERT_TRUE(deliver(client, server).has_value());
  ASSERT_TRUE(deliver(server, client).has_value());
  EXPECT_FALSE(client.feed(filled(9)).has_value());
  EXPECT_FALSE(client.done());
}

TEST(handshake, refuses_garbage_at_its_first_byte) {
  handshake server(side::server, filled(1), filled(4));
  EXPECT_FALSE(server.feed(as_bytes("G")).has_value());
  handshake other(side::server, filled(1), filled(4));
  EXPECT_TRUE(other.feed(as_bytes("ZENCTL")).has_value());
  EXPECT_FALSE(other.feed(as_bytes("02")).has_value());
  EXPECT_TRUE(other.output().empty());
}

TEST(handshake, refuses_its_own_messages_played_back) {
  handshake client(side::client, filled(1), filled(3));
  const bytes hello = client.output();
  EXPECT_FALSE(client.feed(hello).has_value());
}

TEST(handshake, takes_no_proof_that_was_played_back) {
  handshake client(side::client, filled(1), filled(3));
  handshake server(side::server, filled(1), filled(4));
  ASSERT_TRUE(deliver(client, server).has_value());
  ASSERT_TRUE(deliver(server, client).has_value());
  const bytes proof = client.output();
  EXPECT_FALSE(client.feed(proof).has_value());
  // Nor does a proof of one hand-shake open another one.
  handshake later(side::server, filled(1), filled(5));
  handshake same_client(side::client, filled(1), filled(3));
  ASSERT_TRUE(deliver(same_client, later).has_value());
  EXPECT_FALSE(later.feed(proof).has_value());
}

TEST(handshake, takes_no_more_than_it_wants) {
  handshake server(side::server, filled(1), filled(4));
  bytes data(41);
  std::copy(magic.begin(), magic.end(), reinterpret_cast<char*>(data.data()));
  EXPECT_FALSE(server.feed(data).has_value());
}

TEST(handshake, any_changed_byte_is_refused) {
  handshake client(side::client, filled(1), filled(3));
  handshake server(side::server, filled(1), filled(4));
  bytes stream = client.output();
  ASSERT_TRUE(deliver(client, server).has_value());
  ASSERT_TRUE(deliver(server, client).has_value());
  stream.insert(stream.end(), client.output().begin(), client.output().end());
  zenith::testing::for_each_flip(stream, [](byte_view changed) {
    handshake fresh(side::server, filled(1), filled(4));
    result<void> fed = fresh.feed(changed.first(hello_size_bytes));
    if (fed) fed = fresh.feed(changed.subspan(hello_size_bytes));
    EXPECT_FALSE(fed.has_value());
    EXPECT_FALSE(fresh.done());
  });
  zenith::testing::for_each_garbage(5, 1000, 40, [](byte_view garbage) {
    handshake fresh(side::server, filled(1), filled(4));
    EXPECT_EQ(fresh.feed(garbage).has_value(), garbage.empty());
  });
}

TEST(handshake, random_bytes_differ) { EXPECT_NE(random_32_bytes(), random_32_bytes()); }

}  // namespace
}  // namespace zenith::control
