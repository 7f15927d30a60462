// Keys: their stored form keeps their order, and damaged ones are refused.
#include "storage/base/key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace zenith {
namespace {

key random_key(std::mt19937& random) {
  const auto small = [&] { return static_cast<uint32_t>(random() % 4 * 0x40000001u); };
  return {static_cast<key_kind>(1 + random() % 13), small(), small(), small(),
          static_cast<uint8_t>(random() % 4),       small()};
}

TEST(key, stored_form_orders_as_the_key_does) {
  std::mt19937 random{7};
  for (int i = 0; i < 10000; ++i) {
    const key a = random_key(random);
    const key b = random_key(random);
    const encoded_key ea = encode(a);
    const encoded_key eb = encode(b);
    const int order = std::memcmp(ea.data(), eb.data(), ea.size());
    EXPECT_EQ(a < b, order < 0);
    EXPECT_EQ(a == b, order == 0);
    EXPECT_EQ(*decode_key(ea), a);
  }
}

TEST(key, refuses_unknown_kinds_forks_and_lengths) {
  encoded_key stored = encode(key::block({1, 2, 3}, fork_number::vm, 9));
  stored[0] = std::byte{15};
  EXPECT_EQ(decode_key(stored).error().code, errc::corrupt);
  stored[0] = std::byte{12};
  stored[13] = std::byte{4};
  EXPECT_EQ(decode_key(stored).error().code, errc::corrupt);
  EXPECT_EQ(decode_key(byte_view{stored}.first(17)).error().code, errc::corrupt);
}

TEST(key, has_neighbours_with_nothing_between_them) {
  const key last_of_kind{key_kind::control, ~0u, ~0u, ~0u, 3, ~0u};
  EXPECT_EQ(key_after(last_of_kind), key{key_kind::next_full_xid});
  EXPECT_EQ(key_before(key{key_kind::next_full_xid}), last_of_kind);
  EXPECT_EQ(key_after(key::block({1, 2, 3}, fork_number::init, ~0u)),
            key::block({1, 2, 4}, fork_number::main, 0));
  EXPECT_EQ(key_after(key::block({1, 2, 3}, fork_number::main, 7)),
            key::block({1, 2, 3}, fork_number::main, 8));
  std::mt19937 random{8};
  for (int i = 0; i < 10000; ++i) {
    const key a = random_key(random);
    EXPECT_LT(a, key_after(a));
    EXPECT_EQ(key_before(key_after(a)), a);
    EXPECT_TRUE(decode_key(encode(key_after(a))).has_value());
  }
}

}  // namespace
}  // namespace zenith
