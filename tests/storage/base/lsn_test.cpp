// LSNs as text: what PostgreSQL prints is read, all else is refused.
#include "storage/base/lsn.hpp"

#include <gtest/gtest.h>

namespace zenith {
namespace {

TEST(lsn, prints_two_hexadecimal_halves) {
  EXPECT_EQ(to_string(lsn{0x16B374D848}), "16/B374D848");
  EXPECT_EQ(to_string(lsn{}), "0/0");
}

TEST(lsn, reads_what_it_prints_in_either_case) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{0x16B374D848}, UINT64_MAX}) {
    const auto parsed = parse_lsn(to_string(lsn{value}));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->value(), value);
  }
  EXPECT_EQ(parse_lsn("a/ff")->value(), 0xA000000FFu);
}

TEST(lsn, refuses_what_is_not_one) {
  for (const char* text :
       {"", "/", "1/", "/1", "1", "1/123456789", "g/1", "1/2/3", "1/ 2", "-1/2"}) {
    const auto parsed = parse_lsn(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, errc::invalid_argument);
    EXPECT_FALSE(looks_like_lsn(text)) << text;
  }
}

TEST(lsn, aligns_to_eight_bytes) {
  EXPECT_EQ(lsn{1}.aligned().value(), 8u);
  EXPECT_EQ(lsn{8}.aligned().value(), 8u);
}

}  // namespace
}  // namespace zenith
