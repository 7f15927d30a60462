// Names and points: what is taken, what is refused and why.
#include "storage/repository/names.hpp"

#include <gtest/gtest.h>

#include <string>

#include "storage/base/ids.hpp"
#include "storage/repository/point.hpp"

namespace zenith::repository {
namespace {

TEST(names, of_letters_digits_and_a_few_signs_are_taken) {
  for (const std::string name : {"main", "a", "0", "feature/x-1", "v1.2_3", "a/.b", "1/2/3", "x/1",
                                 "123456789/1", "a..b", "a/b", "a/ff"})
    EXPECT_TRUE(check_name(name).has_value()) << name;
  EXPECT_TRUE(check_name(std::string(63, 'x')).has_value());
}

TEST(names, that_break_a_rule_are_refused_with_the_rule) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {std::string(64, 'x'), "64 characters"},
      {"-x", "start with"},
      {".x", "start with"},
      {"/x", "start with"},
      {"a b", "only letters"},
      {"a@b", "only letters"},
      {"a\nb", "only letters"},
      {std::string("a\0b", 3), "only letters"},
      {"a/", "ends with a slash"},
      {"a//b", "empty"},
      {"a/./b", ". or .."},
      {"a/..", ". or .."},
      {"../a", "start with"},
      {"A/FF", "looks like an LSN"},
      {"0/1511", "looks like an LSN"},
      {"16/B374D848", "looks like an LSN"},
      {std::string(32, 'a'), "looks like a timeline id"},
  };
  for (const auto& [name, why] : cases) {
    const auto checked = check_name(name);
    ASSERT_FALSE(checked.has_value()) << name;
    EXPECT_EQ(checked.error().code, errc::invalid_argument);
    EXPECT_NE(checked.error().message.find(why), std::string::npos) << checked.error().message;
    EXPECT_EQ(checked.error().message.find('\n'), std::string::npos);
  }
}

TEST(names, of_computes_have_no_slash) {
  EXPECT_TRUE(check_compute_name("main").has_value());
  EXPECT_FALSE(check_compute_name("feature/x").has_value());
  EXPECT_FALSE(check_compute_name("").has_value());
}

TEST(names, exclude_their_folders) {
  EXPECT_TRUE(names_exclude("x", "x"));
  EXPECT_TRUE(names_exclude("x", "x/y"));
  EXPECT_TRUE(names_exclude("x/y/z", "x"));
  EXPECT_FALSE(names_exclude("x", "xy"));
  EXPECT_FALSE(names_exclude("x/y", "x/z"));
  EXPECT_FALSE(names_exclude("x-1", "x/1"));
}

TEST(point, is_a_name_with_or_without_a_place) {
  EXPECT_EQ(*parse_point("main"), (point{"main", at_end{}}));
  EXPECT_EQ(*parse_point("f/x@16/B374D848"), (point{"f/x", lsn{0x16B374D848}}));
  EXPECT_EQ(*parse_point("main@2000-01-01T00:00:01Z"), (point{"main", timestamp{1000000}}));
  EXPECT_EQ(*parse_point(std::string(32, 'A') + "@0/1"), (point{std::string(32, 'a'), lsn{1}}));
  for (const char* text : {"main", "f/x@16/B374D848", "main@2026-11-22T10:00:00.5Z"})
    EXPECT_EQ(to_string(*parse_point(text)), text);
}

TEST(point, refuses_what_is_not_one) {
  for (const char* text : {"", "@", "main@", "@16/1", "main@x", "main@16", "main@0/0", "a@1/1@1/1",
                           "main@2026-11-22", "16/1", "a b@1/1"}) {
    const auto parsed = parse_point(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, errc::invalid_argument);
  }
}

}  // namespace
}  // namespace zenith::repository
