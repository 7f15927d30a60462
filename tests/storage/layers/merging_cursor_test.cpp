// merging_cursor: one order from several, and what may not be.
#include "storage/layers/merging_cursor.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/listed_versions.hpp"
#include "tests/support/test_level.hpp"

namespace zenith::layers {
namespace {

using zenith::testing::listed_cursor;
using zenith::testing::listed_version;
using zenith::testing::listed_versions;

version_entry absent(uint32_t xid, uint64_t at) {
  return {.k = key::two_phase(xid), .at = lsn{at}, .kind = version_kind::absent};
}

merging_cursor merged(const std::vector<listed_versions>& lists) {
  std::vector<merging_cursor::input> inputs;
  for (const listed_versions& one : lists)
    inputs.push_back(
        {std::make_unique<listed_cursor>(one), "file " + std::to_string(inputs.size())});
  return merging_cursor(std::move(inputs));
}

std::string failure_of(merging_cursor cursor) {
  version_entry v;
  for (;;) {
    const auto more = cursor.next(v);
    if (!more) {
      EXPECT_EQ(more.error().code, errc::corrupt);
      return more.error().message;
    }
    if (!*more) return "none";
  }
}

TEST(merging_cursor, gives_what_any_number_of_inputs_hold_in_one_order) {
  const uint32_t seed = zenith::testing::test_seed();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (size_t inputs = 0; inputs < 12; ++inputs) {
    std::vector<listed_versions> lists(inputs);
    listed_versions all;
    if (inputs > 0)
      for (uint32_t i = 0; i < 300; ++i) {
        const listed_version one(absent(i % 17, 1000 - random() % 500 * 64 % 900 + i * 1000));
        all.push_back(one);
        lists[random() % inputs].push_back(one);
      }
    for (auto& list : lists) sort(list);
    sort(all);
    merging_cursor cursor = merged(lists);
    version_entry v;
    for (const listed_version& expected : all) {
      ASSERT_TRUE(cursor.next(v).value());
      EXPECT_EQ(v.k, expected.entry.k);
      EXPECT_EQ(v.at, expected.entry.at);
    }
    EXPECT_FALSE(cursor.next(v).value());
    EXPECT_FALSE(cursor.next(v).value());
  }
}

TEST(merging_cursor, refuses_a_version_that_two_inputs_hold_and_names_both) {
  const std::string message =
      failure_of(merged({{listed_version(absent(1, 50)), listed_version(absent(2, 40))},
                         {listed_version(absent(3, 40))},
                         {listed_version(absent(2, 40))}}));
  EXPECT_NE(message.find("file 0"), std::string::npos) << message;
  EXPECT_NE(message.find("file 2"), std::string::npos) << message;
  EXPECT_EQ(message.find("file 1"), std::string::npos) << message;
}

TEST(merging_cursor, refuses_an_input_that_is_not_in_order_and_names_it) {
  for (const version_entry& second : {absent(2, 50), absent(2, 60), absent(1, 10)}) {
    const std::string message =
        failure_of(merged({{listed_version(absent(1, 50))},
                           {listed_version(absent(2, 50)), listed_version(second)}}));
    EXPECT_NE(message.find("file 1"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace zenith::layers
