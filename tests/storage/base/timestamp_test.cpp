// Timestamps as text: RFC 3339 in any zone is read, UTC is printed, all else is refused.
#include "storage/base/timestamp.hpp"

#include <gtest/gtest.h>

#include <random>

namespace zenith {
namespace {

TEST(timestamp, counts_from_the_year_2000) {
  EXPECT_EQ(parse_timestamp("2000-01-01T00:00:00Z")->microseconds(), 0);
  // select extract(epoch from timestamptz '2026-11-22 10:00:00Z' - '2000-01-01 00:00:00Z')
  EXPECT_EQ(parse_timestamp("2026-11-22T10:00:00Z")->microseconds(), 848656800000000);
  EXPECT_EQ(parse_timestamp("1999-12-31T23:59:59.999999Z")->microseconds(), -1);
  EXPECT_EQ(timestamp::from_unix_us(0), *parse_timestamp("1970-01-01T00:00:00Z"));
}

TEST(timestamp, takes_zones_and_fractions) {
  const timestamp noon = *parse_timestamp("2026-11-22T12:00:00Z");
  EXPECT_EQ(*parse_timestamp("2026-11-22T13:30:00+01:30"), noon);
  EXPECT_EQ(*parse_timestamp("2026-11-22 04:00:00-08:00"), noon);
  EXPECT_EQ(*parse_timestamp("2026-11-22t12:00:00.000z"), noon);
  EXPECT_EQ(parse_timestamp("2026-11-22T12:00:00.25Z")->microseconds(),
            noon.microseconds() + 250000);
  EXPECT_EQ(parse_timestamp("2026-11-22T12:00:00.1234569Z")->microseconds(),
            noon.microseconds() + 123456);
  EXPECT_EQ(*parse_timestamp("2026-11-22T11:59:60Z"), noon);
}

TEST(timestamp, prints_utc_with_the_fraction_it_has) {
  EXPECT_EQ(to_string(timestamp{0}), "2000-01-01T00:00:00Z");
  EXPECT_EQ(to_string(timestamp{-1}), "1999-12-31T23:59:59.999999Z");
  EXPECT_EQ(to_string(*parse_timestamp("2026-11-22T13:30:00.5+01:30")), "2026-11-22T12:00:00.5Z");
  EXPECT_EQ(to_string(timestamp{INT64_MAX}), "(out of range)");
  EXPECT_EQ(to_string(timestamp{INT64_MIN}), "(out of range)");
}

TEST(timestamp, reads_back_what_it_prints) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 10000; ++i) {
    const timestamp moment{static_cast<int64_t>(random() % 4000000000000000u) - 1000000000000000};
    EXPECT_EQ(*parse_timestamp(to_string(moment)), moment);
  }
  for (const char* edge : {"0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"})
    EXPECT_EQ(to_string(*parse_timestamp(edge)), edge);
}

TEST(timestamp, refuses_what_is_not_one) {
  for (const char* text : {"",
                           "now",
                           "2026-11-22",
                           "2026-11-22T10:00:00",
                           "2026-11-22T10:00Z",
                           "2026-13-22T10:00:00Z",
                           "2026-02-29T10:00:00Z",
                           "2026-11-00T10:00:00Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T10:60:00Z",
                           "2026-11-22T10:00:61Z",
                           "2026-11-22T10:00:00.Z",
                           "2026-11-22T10:00:00+1:00",
                           "2026-11-22T10:00:00+24:00",
                           "2026-11-22T10:00:00+0100",
                           "2026-11-22T10:00:00Z ",
                           " 2026-11-22T10:00:00Z",
                           "26-11-22T10:00:00Z",
                           "-026-11-22T10:00:00Z",
                           "2026-11-22X10:00:00Z"}) {
    const auto parsed = parse_timestamp(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, errc::invalid_argument);
  }
}

}  // namespace
}  // namespace zenith
