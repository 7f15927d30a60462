// JSON text of values, objects and arrays.
#include "cli/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace zenith::cli {
namespace {

TEST(json, objects_keep_the_order_of_their_fields) {
  EXPECT_EQ(json::object({{"name", "main"}, {"at", nullptr}, {"bytes", 5}, {"ok", true}}).text(),
            R"({"name": "main", "at": null, "bytes": 5, "ok": true})");
  EXPECT_EQ(json::object({}).text(), "{}");
  EXPECT_EQ(json::array({}).text(), "[]");
  EXPECT_EQ(json::array({json(1), json::object({{"a", uint64_t{UINT64_MAX}}})}).text(),
            R"([1, {"a": 18446744073709551615}])");
}

TEST(json, any_bytes_make_a_valid_text) {
  for (int first = 0; first < 256; ++first) {
    for (const char* rest : {"", "x", "\x80", "\xBF\xBF", "\"\\"}) {
      const std::string bytes = std::string(1, static_cast<char>(first)) + rest;
      const auto parsed = nlohmann::json::parse(json(bytes).text(), nullptr, false);
      ASSERT_TRUE(parsed.is_string()) << first;
      if (first > 0 && first < 0x80 && static_cast<unsigned char>(*rest) < 0x80)
        EXPECT_EQ(parsed.get<std::string>(), bytes);
    }
  }
}

TEST(json, an_empty_text_can_stand_for_none) {
  EXPECT_EQ(text_or_null("").text(), "null");
  EXPECT_EQ(text_or_null("a").text(), "\"a\"");
}

}  // namespace
}  // namespace zenith::cli
