// zenith layer dump: what a golden layer file holds, in words and as JSON.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/commands.hpp"
#include "tests/support/files.hpp"

namespace zenith::cli {
namespace {

namespace fs = std::filesystem;

command_line dump_of(const std::string& file) {
  command_line line;
  line.what = command::layer_dump;
  line.file = (fs::path(ZENITH_SOURCE_DIR) / "tests/golden/layers" / file).string();
  return line;
}

size_t lines_of(const std::string& text) {
  return static_cast<size_t>(std::ranges::count(text, '\n'));
}

TEST(layer_dump, shows_every_version_of_a_delta_layer) {
  const auto shown = run_layer_dump(dump_of("delta-2.delta"));
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_TRUE(shown->text.starts_with("delta layer, format version 2\n")) << shown->text;
  EXPECT_NE(shown->text.find("after 0/1000 up to 0/9000"), std::string::npos);
  EXPECT_NE(shown->text.find("relation 1663/5/16384 main block 7"), std::string::npos);
  const auto value = nlohmann::json::parse(shown->value.text());
  EXPECT_EQ(value["kind"], "delta");
  EXPECT_EQ(value["entries"], value["versions"].size());
  EXPECT_EQ(lines_of(shown->text), 7 + value["versions"].size());
  std::map<std::string, int> kinds;
  for (const auto& version : value["versions"]) {
    ++kinds[version["kind"]];
    if (version["kind"] == "copy") EXPECT_EQ(version["source_lsn"], "0/8FC0");
  }
  EXPECT_EQ(kinds,
            (std::map<std::string, int>{
                {"absent", 6}, {"changes", 260}, {"copy", 1}, {"initialises", 60}, {"value", 24}}));
}

// What is written as it came is packed by LZ4, and some of it not at all.
TEST(layer_dump, shows_a_delta_layer_packed_by_lz4) {
  const auto zstd = run_layer_dump(dump_of("delta-2.delta"));
  ASSERT_TRUE(zstd) << zstd.error().message;
  const auto shown = run_layer_dump(dump_of("delta-2-lz4.delta"));
  ASSERT_TRUE(shown) << shown.error().message;
  auto value = nlohmann::json::parse(shown->value.text());
  EXPECT_EQ(value["kind"], "delta");
  EXPECT_EQ(lines_of(shown->text), 7 + value["versions"].size());
  // The same versions, and three pages that nothing makes smaller.
  const std::set<std::string> added{"relation 1663/5/16384 main block 1000",
                                    "relation 1663/5/16384 main block 1001",
                                    "relation 1663/5/16384 main block 1002"};
  auto& versions = value["versions"];
  size_t pages = 0;
  for (auto one = versions.begin(); one != versions.end();) {
    const bool is_added = added.contains(one->at("key").get<std::string>());
    if (is_added) EXPECT_EQ(one->at("bytes"), 8192) << *one;
    pages += is_added ? 1 : 0;
    one = is_added ? versions.erase(one) : one + 1;
  }
  EXPECT_EQ(pages, 3u);
  EXPECT_TRUE(versions == nlohmann::json::parse(zstd->value.text())["versions"]);
}

TEST(layer_dump, sums_up_keys_and_names_blocks) {
  auto line = dump_of("delta-2.delta");
  line.keys = true;
  const auto keys = run_layer_dump(line);
  ASSERT_TRUE(keys) << keys.error().message;
  const auto key_value = nlohmann::json::parse(keys->value.text());
  uint64_t versions = 0;
  for (const auto& one : key_value["keys"]) versions += one["versions"].get<uint64_t>();
  EXPECT_EQ(key_value["entries"], versions);

  line.keys = false;
  line.blocks = true;
  const auto blocks = run_layer_dump(line);
  ASSERT_TRUE(blocks) << blocks.error().message;
  const auto value = nlohmann::json::parse(blocks->value.text());
  uint64_t data = 0;
  for (const auto& one : value["blocks"]) data += one["height"] == 0 ? 1 : 0;
  EXPECT_EQ(value["data_blocks"], data);
  EXPECT_EQ(value["index_blocks"], value["blocks"].size() - data + 1);
}

TEST(layer_dump, shows_images_of_both_versions) {
  for (const char* file : {"image-1.image", "image-2.image"}) {
    const auto shown = run_layer_dump(dump_of(file));
    ASSERT_TRUE(shown) << shown.error().message;
    const auto value = nlohmann::json::parse(shown->value.text());
    EXPECT_EQ(value["format_version"], file[6] - '0');
    EXPECT_EQ(value["kind"], "image");
    EXPECT_EQ(value["versions"].size(), 61u);
  }
}

TEST(layer_dump, says_what_is_wrong_with_a_file_that_is_none) {
  const auto none = run_layer_dump(dump_of("nothing"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, errc::not_found);
  const auto text = run_layer_dump(dump_of("../README.md"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, errc::corrupt);
  EXPECT_NE(text.error().message.find("magic of the header"), std::string::npos);
}

}  // namespace
}  // namespace zenith::cli
