// Metadata: what is written is read back, and nothing else is taken.
#include "storage/repository/metadata.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

timeline_metadata sample_timeline() {
  timeline_metadata m;
  m.id = *parse_timeline_id("0123456789abcdef0123456789abcdef");
  m.ancestor = {*parse_timeline_id("ffffffffffffffffffffffffffffffff"), lsn{0x1600000100}};
  m.system = system_identifier{18412345678901234567u};
  m.segment_size_bytes = 1u << 20;
  m.checksums = data_checksums::on;
  m.start = lsn{0x1600000100};
  m.start_previous_record = lsn{0x16000000A0};
  m.pg_timelines = {{pg_timeline{1}, lsn{0x1000028}}, {pg_timeline{2}, lsn{0x1600000100}}};
  m.created_at = timestamp::from_unix_us(1795341600000001);
  m.state = timeline_state::creating;
  return m;
}

compute_metadata sample_compute() {
  compute_metadata m;
  m.name = "c1";
  m.branch = "feature/x";
  m.timeline = sample_timeline().id;
  m.at = lsn{0x1600000100};
  m.port = 15432;
  m.access = access_mode::read_only;
  m.commit = commit_mode::synchronous;
  m.hydration = hydration_mode::lazy;
  m.created_at = timestamp::from_unix_us(1);
  return m;
}

/// Every text that lacks bytes at the end, and every text with one byte changed: refused, or (where
/// a changed digit makes another valid value) taken; never a crash.
template <class T>
void damage_everywhere(const std::string& text, result<T> (*decode)(std::string_view)) {
  ASSERT_TRUE(decode(text).has_value());
  for (size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_FALSE(decode(std::string_view(text).substr(0, size)).has_value()) << size;
  size_t refused = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int flip : {1, 0x20, 0x80}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      const auto decoded = decode(changed);
      if (decoded) continue;
      ++refused;
      EXPECT_EQ(decoded.error().code, errc::corrupt);
    }
  }
  EXPECT_GT(refused, text.size());
}

TEST(timeline_metadata, comes_back_as_written) {
  timeline_metadata m = sample_timeline();
  EXPECT_EQ(*decode_timeline(encode(m)), m);
  m.ancestor.reset();
  m.state = timeline_state::active;
  EXPECT_EQ(*decode_timeline(encode(m)), m);
  EXPECT_EQ(m.current_pg_timeline(), pg_timeline{2});
}

TEST(timeline_metadata, has_settings_in_its_file_only_where_it_has_some) {
  timeline_metadata m = sample_timeline();
  EXPECT_EQ(encode(m).find("settings"), std::string::npos);
  m.settings = {{"history_window", "2d"}, {"history_size", "1GB"}};
  EXPECT_EQ(*decode_timeline(encode(m)), m);
  damage_everywhere(encode(m), decode_timeline);
}

TEST(other_metadata, comes_back_as_written) {
  const branch_metadata branch{sample_timeline().id};
  EXPECT_EQ(*decode_branch(encode(branch)), branch);
  const tag_metadata tag{*sample_timeline().ancestor, timestamp::from_unix_us(5)};
  EXPECT_EQ(*decode_tag(encode(tag)), tag);
  EXPECT_EQ(*decode_compute(encode(sample_compute())), sample_compute());
}

TEST(metadata, that_is_damaged_is_refused) {
  damage_everywhere(encode(sample_timeline()), decode_timeline);
  damage_everywhere(encode(branch_metadata{sample_timeline().id}), decode_branch);
  damage_everywhere(encode(tag_metadata{*sample_timeline().ancestor, timestamp::from_unix_us(5)}),
                    decode_tag);
  damage_everywhere(encode(sample_compute()), decode_compute);
}

TEST(timeline_metadata, that_contradicts_itself_is_refused_by_its_field) {
  const auto refused_for = [](auto change, const char* field) {
    timeline_metadata m = sample_timeline();
    change(m);
    const auto decoded = decode_timeline(encode(m));
    ASSERT_FALSE(decoded.has_value()) << field;
    EXPECT_NE(decoded.error().message.find(field), std::string::npos) << decoded.error().message;
  };
  using metadata = timeline_metadata;
  refused_for([](metadata& m) { m.id = {}; }, "'id'");
  refused_for([](metadata& m) { m.start = {}; }, "'start_lsn'");
  refused_for([](metadata& m) { m.start = m.start + 8; }, "'start_lsn'");
  refused_for([](metadata& m) { m.start_previous_record = m.start; }, "'start_previous_record'");
  refused_for([](metadata& m) { m.segment_size_bytes = 3u << 20; }, "'segment_size_bytes'");
  refused_for([](metadata& m) { m.segment_size_bytes = 1u << 19; }, "'segment_size_bytes'");
  refused_for([](metadata& m) { m.pg_timelines.clear(); }, "'pg_timelines'");
  refused_for([](metadata& m) { std::swap(m.pg_timelines[0], m.pg_timelines[1]); },
              "'pg_timelines'");
  refused_for([](metadata& m) { m.system = {}; }, "'system_identifier'");
}

TEST(config, wraps_the_settings_and_refuses_another_format) {
  const auto settings = decode_config(encode_config("{\"user\": \"x\"}"));
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(encode_config(*settings), encode_config("{\"user\": \"x\"}"));
  const auto other = decode_config("{\"repository_format\": 2, \"settings\": {}}");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, errc::unsupported);
  EXPECT_FALSE(decode_config("{\"repository_format\": 1}").has_value());
  EXPECT_FALSE(decode_config("{\"repository_format\": 1, \"settings\": 3}").has_value());
  EXPECT_FALSE(decode_config("[]").has_value());
}

TEST(history_file, has_a_line_for_each_pg_timeline_that_was_left) {
  timeline_metadata m = sample_timeline();
  EXPECT_EQ(history_file_text(m), "1\t16/100\tzenith branch\n");
  m.pg_timelines.push_back({pg_timeline{3}, lsn{0x1600000200}});
  EXPECT_EQ(history_file_text(m), "1\t16/100\tzenith branch\n2\t16/200\tzenith branch\n");
  m.pg_timelines.resize(1);
  EXPECT_EQ(history_file_text(m), "");
}

}  // namespace
}  // namespace zenith::repository
