// Manifests: what is written is read back, nothing else is taken, and the text stays as it is.
#include "storage/layers/manifest.hpp"

#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "tests/storage/layers/map_samples.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::layers {
namespace {

manifest with_map(layer_map map) {
  manifest m;
  m.disk_consistent = lsn{0x16000003E8};
  m.last_record = lsn{0x16000003A8};
  m.ends_with_shutdown_checkpoint = true;
  m.readable_from = lsn{0x1600000100};
  m.next_number = 43;
  m.wal_bytes = 1001;
  m.flushed_bytes = 1002;
  m.merged_bytes = 1003;
  m.map = std::move(map);
  return m;
}

/// One of each thing that a manifest can say.
manifest sample() {
  std::vector<layer_map::level> levels(layer_map::level_count);
  levels[0].push_back(sample_slice(42, 5, 900, 0x1600000300, 0x16000003E8));
  layer_slice part = sample_slice(41, 0, 1000, 0x1600000200, 0x1600000400);
  part.file.name.timeline = sample_timeline(2);
  part.file.copied_at = {lsn{0x1600000180}, lsn{0x1600000190}};
  part.file.collected_to = lsn{0x1600000100};
  part.file.collected_points = 3;
  part.first = key::size({1663, 5, 16384}, fork_number::vm);
  part.file.first_key = key::control();
  part.last = sample_key(700);
  part.until = lsn{0x1600000300};
  levels[1].push_back(part);
  levels[6].push_back(sample_base(0x100));
  const unknown_state unknowns[] = {
      {key_pattern::size_of({1663, 5, 16384}, fork_number::vm),
       lsn{0x1600000350},
       {errc::unsupported, "record \"a\" at 16/300: \xff\n"}},
      {key_pattern::all(key_kind::next_oid), lsn{0x1600000350}, {errc::corrupt, "b"}}};
  return with_map(*layer_map::make(std::move(levels), {std::begin(unknowns), std::end(unknowns)},
                                   {std::nullopt, sample_key(77)}));
}

// Frozen: a text that differs is another format.
constexpr const char* golden =
    R"({
  "manifest_format": 1,
  "disk_consistent": "16/3E8",
  "last_record": "16/3A8",
  "ends_with_shutdown_checkpoint": true,
  "readable_from": "16/100",
  "next_number": 43,
  "wal_bytes": 1001,
  "flushed_bytes": 1002,
  "merged_bytes": 1003,
  "timelines": [
    "01010101010101010101010101010101",
    "02020202020202020202020202020202"],
  "levels": [
    [
      {"timeline":0,"number":42,"kind":"delta","first":"12/1663/5/16384/0/5",)"
    R"("last":"12/1663/5/16384/0/900","after":"16/300","until":"16/3E8","bytes":1000,)"
    R"("entries":20,"keys":10}],
    [
      {"timeline":1,"number":41,"kind":"delta","first":"1/0/0/0/0/0",)"
    R"("last":"12/1663/5/16384/0/1000","after":"16/200","until":"16/400","bytes":1000,)"
    R"("entries":20,"keys":10,"copied_at":["16/180","16/190"],"collected_to":"16/100",)"
    R"("collected_points":3,"part":{"first":"11/1663/5/16384/2/0",)"
    R"("last":"12/1663/5/16384/0/700","until":"16/300"}}],
    [],
    [],
    [],
    [],
    [
      {"timeline":0,"number":0,"kind":"image","first":"12/1663/5/16384/0/0",)"
    R"("last":"12/1663/5/16384/0/1000000","after":"0/100","until":"0/100","bytes":1000,)"
    R"("entries":20,"keys":20}]],
  "unknowns": [
    {"kind":11,"a":1663,"b":5,"c":16384,"fork":2,"at":"16/350","error":"unsupported",)"
    R"("why":"record \"a\" at 16/300: \ufffd\n"},
    {"kind":3,"at":"16/350","error":"corrupt","why":"b"}],
  "merged_up_to": [null, "12/1663/5/16384/0/77", null, null, null, null, null]
}
)";

TEST(manifest, has_a_frozen_text) { EXPECT_EQ(encode(sample()), golden); }

TEST(manifest, comes_back_as_written) {
  // What is no UTF-8 in a message is replaced.
  manifest m = *decode_manifest(encode(sample()));
  EXPECT_EQ(encode(m), encode(*decode_manifest(encode(m))));
  EXPECT_EQ(*decode_manifest(encode(m)), m);
  EXPECT_EQ(m.map.levels(), sample().map.levels());
  EXPECT_EQ(m.map.places(), sample().map.places());
  EXPECT_EQ(m.map.unknowns()[0].why.message, "record \"a\" at 16/300: \xEF\xBF\xBD\n");
  EXPECT_EQ(m.map.unknowns()[0].keys, sample().map.unknowns()[0].keys);
  EXPECT_EQ(m.map.unknowns()[1].why.code, errc::corrupt);
}

TEST(manifest, of_a_timeline_that_has_nothing_yet_comes_back) {
  manifest m;
  m.disk_consistent = lsn{1};
  EXPECT_EQ(*decode_manifest(encode(m)), m);
}

TEST(manifest, that_is_damaged_is_refused_or_means_something_else) {
  const std::string text = encode(sample());
  for (size_t size = 0; size + 1 < text.size(); ++size)
    ASSERT_FALSE(decode_manifest(std::string_view(text).substr(0, size)).has_value()) << size;
  size_t refused = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    for (const int flip : {1, 0x20, 0x80}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      const auto decoded = decode_manifest(changed);
      refused += !decoded;
      if (decoded) EXPECT_TRUE(decode_manifest(encode(*decoded)).has_value()) << changed;
      if (!decoded) EXPECT_EQ(decoded.error().code, errc::corrupt);
    }
  }
  EXPECT_GT(refused, text.size());
}

/// The sample's text with something replaced once.
std::string replaced(std::string_view what, std::string_view by) {
  std::string text = encode(sample());
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(manifest, that_contradicts_itself_is_refused_by_the_name_of_the_field) {
  const auto refused = [](std::string_view what, std::string_view by, std::string_view named) {
    const auto decoded = decode_manifest(replaced(what, by));
    ASSERT_FALSE(decoded.has_value()) << by;
    EXPECT_EQ(decoded.error().code, errc::corrupt);
    EXPECT_NE(decoded.error().message.find(named), std::string::npos) << decoded.error().message;
  };
  refused("\"manifest_format\": 1", "\"manifest_format\": 2", "'manifest_format'");
  refused("\"next_number\": 43", "\"next_number\": 0", "'next_number'");
  refused("\"last_record\": \"16/3A8\"", "\"last_record\": \"16/3E8\"", "'last_record'");
  refused("\"disk_consistent\": \"16/3E8\"", "\"disk_consistent\": \"16/3E0\"", "'levels'");
  refused("\"timeline\":1", "\"timeline\":2", "'timeline'");
  refused("\"kind\":\"delta\"", "\"kind\":\"other\"", "'kind'");
  refused("\"number\":42", "\"number\":0", "number 0");
  refused("\"after\":\"16/300\"", "\"after\":\"16/3E8\"", "after 16/3E8");
  refused("\"after\":\"16/300\"", "\"after\":\"16/2FF\"", "lies below it");
  refused("12/1663/5/16384/0/5\"", "12/1663/5/16384/4/5\"", "'first'");
  refused("12/1663/5/16384/0/5\"", "12/1663/5/16384/0/901\"", "its keys");
  refused("12/1663/5/16384/0/5\"", "12/1663/5/16384/0/5/\"", "not a key");
  refused("12/1663/5/16384/0/5\"", "268/1663/5/16384/0/5\"", "not a key");
  refused("12/1663/5/16384/0/5\"", "12/1663/5/16384/0\"", "not a key");
  refused("12/1663/5/16384/0/5\"", "12/1663/-5/16384/0/5\"", "not a key");
  refused("\"16/180\",\"16/190\"", "\"16/190\",\"16/180\"", "'copied_at'");
  refused("\"keys\":10", "\"keys\":21", "21 keys");
  refused("\"bytes\":1000", "\"size\":1000", "'bytes'");
  refused("\"error\":\"unsupported\"", "\"error\":\"other\"", "'error'");
  refused("\"fork\":2", "\"fork\":4", "'fork'");
  refused("null, \"12/", "null, null, \"12/", "'merged_up_to'");
}

TEST(manifest, that_names_one_file_twice_has_to_describe_it_alike) {
  std::vector<layer_map::level> levels(3);
  levels[1].push_back(sample_slice(7, 0, 100, 1, 100));
  levels[1].back().last = sample_key(40);
  levels[1].push_back(sample_slice(7, 0, 100, 1, 100));
  levels[1].back().first = sample_key(60);
  manifest m;
  m.disk_consistent = lsn{1000};
  m.map = *layer_map::make(levels, {});
  EXPECT_EQ(*decode_manifest(encode(m)), m);
  levels[1].back().file.size_bytes++;
  m.map = *layer_map::make(levels, {});
  EXPECT_NE(decode_manifest(encode(m)).error().message.find("two ways"), std::string::npos);
}

TEST(manifest, of_a_small_chain_takes_one_block_of_a_disk) {
  std::vector<layer_map::level> levels(layer_map::level_count);
  for (uint64_t i = 0; i < 5; ++i) {  // each of another timeline, capped where its child left
    layer_slice slice = sample_slice(1000 - i, 0, 900000, (1u << 30) - 10 * i, (1u << 30) + 9);
    slice.file.name.timeline = sample_timeline(static_cast<uint8_t>(i + 1));
    slice.file.size_bytes = slice.file.entries = slice.file.keys = 67108864;
    slice.until = slice.file.after + 9;
    levels[0].push_back(slice);
  }
  for (uint32_t i = 0; i < 5; ++i)
    levels[1].push_back(sample_slice(i + 1, 100000 * i, 100000 * i + 99999, 1u << 28, 1u << 29));
  levels[6].push_back(sample_base(1u << 27));
  manifest m = with_map(*layer_map::make(std::move(levels), {}));
  EXPECT_LE(encode(m).size() + metadata_trailer_size_bytes, 4096u);
  EXPECT_EQ(*decode_manifest(encode(m)), m);
}

TEST(manifest, is_replaced_as_a_whole_and_checked_when_it_is_read) {
  testing::memory_file_system files;
  const path folder = "/timelines/1";
  ASSERT_TRUE(files.create_directories(folder).has_value());
  EXPECT_EQ(read_manifest(files, folder).error().code, errc::not_found);
  manifest m = *decode_manifest(encode(sample()));
  ASSERT_TRUE(write_manifest(files, folder, m).has_value());
  ++m.next_number;
  ASSERT_TRUE(write_manifest(files, folder, m).has_value());
  EXPECT_EQ(*read_manifest(files, folder), m);
  ASSERT_TRUE(write_metadata_file(files, folder / manifest_name, "{}").has_value());
  const error refused = read_manifest(files, folder).error();
  EXPECT_EQ(refused.code, errc::corrupt);
  EXPECT_NE(refused.message.find("/timelines/1/manifest"), std::string::npos);
}

}  // namespace
}  // namespace zenith::layers
