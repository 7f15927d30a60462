// Settings: the table holds together, values are read, shown and refused as it says.
#include "config/settings.hpp"

#include <gtest/gtest.h>

namespace zenith::config {
namespace {

using namespace std::chrono_literals;

TEST(settings_table, is_sorted_and_every_default_is_shown_as_written) {
  std::string previous;
  for (const setting& row : all_settings()) {
    EXPECT_LT(previous, row.key);
    previous = row.key;
    settings s;
    EXPECT_EQ(*s.shown(row.key), row.default_text) << row.key;
    EXPECT_TRUE(s.set(row.key, row.default_text).has_value()) << row.key;
    EXPECT_FALSE(std::string(row.description).empty());
  }
}

TEST(settings_table, bounds_are_allowed_and_what_lies_beyond_is_not) {
  for (const setting& row : all_settings()) {
    const char* unit = row.kind == value_kind::size       ? "B"
                       : row.kind == value_kind::duration ? "ms"
                                                          : "";
    if (row.kind != value_kind::count && *unit == 0) continue;
    settings s;
    EXPECT_TRUE(s.set(row.key, std::to_string(row.min) + unit).has_value()) << row.key;
    EXPECT_TRUE(s.set(row.key, std::to_string(row.max) + unit).has_value()) << row.key;
    for (const int64_t beyond : {row.min - 1, row.max + 1}) {
      if (beyond < 0 && *unit != 0) continue;  // no size or duration is written so
      const auto refused = s.set(row.key, std::to_string(beyond) + unit);
      ASSERT_FALSE(refused.has_value()) << row.key;
      EXPECT_EQ(refused.error().code, errc::out_of_range) << row.key;
      EXPECT_NE(refused.error().message.find(row.key), std::string::npos);
    }
  }
}

TEST(settings, read_sizes_durations_and_words_in_their_units) {
  settings s;
  EXPECT_EQ(s.size_bytes("unsynced_wal_max"), 16u << 20);
  EXPECT_EQ(s.duration("page_request_timeout"), 10s);
  EXPECT_EQ(s.count("connections_max"), 100);
  EXPECT_EQ(s.count("merge_compression_level"), 0);
  EXPECT_EQ(s.text("user"), "postgres");
  EXPECT_EQ(s.text("log_level"), "info");
  ASSERT_TRUE(s.set("unsynced_wal_max", "65536 kB").has_value());
  EXPECT_EQ(s.size_bytes("unsynced_wal_max"), 64u << 20);
  EXPECT_EQ(*s.shown("unsynced_wal_max"), "64MB");
  ASSERT_TRUE(s.set("unsynced_wal_max", "1gb").has_value());
  EXPECT_EQ(*s.shown("unsynced_wal_max"), "1GB");
  ASSERT_TRUE(s.set("page_request_timeout", "90s").has_value());
  EXPECT_EQ(*s.shown("page_request_timeout"), "90s");
  ASSERT_TRUE(s.set("page_request_timeout", "120s").has_value());
  EXPECT_EQ(*s.shown("page_request_timeout"), "2min");
  EXPECT_EQ(s.duration("page_request_timeout"), 2min);
  ASSERT_TRUE(s.reset("page_request_timeout").has_value());
  EXPECT_EQ(s.duration("page_request_timeout"), 10s);
}

TEST(settings, refuse_what_is_no_value_and_keep_the_old_one) {
  settings s;
  for (const char* text : {"", "x", "10", "10 parsec", "-1s", "1.5s", "s", "99999999999999999999s",
                           "9223372036854775807d", "10s x"}) {
    const auto refused = s.set("page_request_timeout", text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().message.find('\n'), std::string::npos);
  }
  for (const char* text : {"", "100MB", "1e3", "0x10", " 1"})
    EXPECT_FALSE(s.set("connections_max", text).has_value()) << text;
  for (const char* text : {"-1", "-", "--1", "+1"})
    EXPECT_FALSE(s.set("connections_max", text).has_value()) << text;
  EXPECT_FALSE(s.set("log_level", "info|debug").has_value());
  EXPECT_FALSE(s.set("log_level", "").has_value());
  EXPECT_FALSE(s.set("user", "a\nb").has_value());
  EXPECT_EQ(s, settings{});
}

TEST(settings, name_the_key_that_was_probably_meant) {
  const auto refused = settings{}.set("conections_max", "1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, errc::not_found);
  EXPECT_NE(refused.error().message.find("'connections_max'"), std::string::npos);
  EXPECT_NE(settings{}.set("nonsense", "1").error().message.find("zenith config"),
            std::string::npos);
}

TEST(settings, come_back_from_json) {
  settings s;
  ASSERT_TRUE(s.set("connections_max", "7").has_value());
  ASSERT_TRUE(s.set("pg_bin", "/opt/pg \"15\"\\bin").has_value());
  const auto back = settings::from_json(s.to_json());
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, s);
  EXPECT_FALSE(back->is_default("connections_max"));
  EXPECT_TRUE(back->is_default("user"));
  EXPECT_EQ(*settings::from_json(settings{}.to_json()), settings{});
}

TEST(settings, refuse_json_with_unknown_keys_or_bad_values) {
  for (const char* text :
       {"", "[]", "null", "{", "{\"connections_max\": 7}", "{\"connections_max\": \"x\"}",
        "{\"connections_max\": \"0\"}", "{\"no_such_key\": \"1\"}", "\xff"})
    EXPECT_FALSE(settings::from_json(text).has_value()) << text;
}

}  // namespace
}  // namespace zenith::config
