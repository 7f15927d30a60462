// Patterns of keys: which keys they match, and whether any may lie in a range.
#include "storage/base/key_pattern.hpp"

#include <gtest/gtest.h>

#include <random>

namespace zenith {
namespace {

const relation_id table{1663, 5, 16384};

TEST(key_pattern, matches_by_the_fields_that_are_given) {
  EXPECT_TRUE(key_pattern::all(key_kind::two_phase).matches(key::two_phase(7)));
  EXPECT_FALSE(key_pattern::all(key_kind::two_phase).matches(key::control()));
  EXPECT_TRUE(key_pattern::all(slru_kind::xact).matches(key::slru(slru_kind::xact, 9)));
  EXPECT_FALSE(key_pattern::all(slru_kind::xact).matches(key::slru(slru_kind::commit_ts, 9)));
  EXPECT_TRUE(key_pattern::sizes_of(table).matches(key::size(table, fork_number::vm)));
  EXPECT_FALSE(key_pattern::sizes_of(table).matches(key::block(table, fork_number::vm, 0)));
  EXPECT_FALSE(
      key_pattern::size_of(table, fork_number::vm).matches(key::size(table, fork_number::main)));
  EXPECT_TRUE(key_pattern::blocks_of(table, fork_number::vm)
                  .matches(key::block(table, fork_number::vm, 8)));
  EXPECT_FALSE(key_pattern::sizes_of({1663, 5, 1}).matches(key::size(table, fork_number::main)));
}

TEST(key_pattern, says_of_no_range_that_holds_a_match_that_it_holds_none) {
  std::mt19937 random{3};
  const auto small = [&] { return static_cast<uint32_t>(random() % 3); };
  const auto any_key = [&] {
    return key{static_cast<key_kind>(10 + random() % 3),
               small(),
               small(),
               small(),
               static_cast<uint8_t>(small()),
               small()};
  };
  const auto maybe = [&](auto value) {
    return random() % 2 == 0 ? std::optional(value) : std::nullopt;
  };
  int in_range = 0;
  for (int i = 0; i < 200'000; ++i) {
    const key k = any_key();
    const key_pattern keys{k.kind, maybe(k.a), maybe(k.b), maybe(k.c), maybe(k.fork)};
    ASSERT_TRUE(keys.matches(k));
    key first = any_key();
    key last = any_key();
    if (last < first) std::swap(first, last);
    if (k < first || last < k) continue;
    ++in_range;
    ASSERT_TRUE(keys.may_lie_between(first, last));
  }
  EXPECT_GT(in_range, 10'000);
  const auto of_database = [](uint32_t database) {
    return key_pattern::sizes_of({1663, 5, 1})
        .may_lie_between(key::size({1663, database, 0}, fork_number::main),
                         key::size({1663, database, UINT32_MAX}, fork_number::init));
  };
  EXPECT_TRUE(of_database(5));
  EXPECT_FALSE(of_database(6));
}

}  // namespace
}  // namespace zenith
