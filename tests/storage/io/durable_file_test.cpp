// Whole-file replacement through every power cut, and damage to metadata files.
#include "storage/io/durable_file.hpp"

#include <gtest/gtest.h>

#include "tests/support/memory_file_system.hpp"

namespace zenith {
namespace {

using testing::memory_file_system;

TEST(durable_file, is_the_old_or_the_new_one_after_a_power_cut_at_every_operation) {
  for (const bool some_survives : {false, true}) {
    bool completed = false;
    for (uint64_t cut = 0; !completed; ++cut) {
      memory_file_system fs;
      ASSERT_TRUE(create_directories_durably(fs, "d"));
      ASSERT_TRUE(write_metadata_file(fs, "d/f", "old"));
      fs.fail_at(fs.operations() + cut, memory_file_system::fault::power);
      completed = write_metadata_file(fs, "d/f", "new, and longer").has_value();
      if (some_survives)
        fs.power_cut_keeping_some(cut * 17 + 1);
      else
        fs.power_cut();
      const auto text = read_metadata_file(fs, "d/f");
      ASSERT_TRUE(text) << cut << ": " << text.error().message;
      if (completed)
        EXPECT_EQ(*text, "new, and longer");
      else
        EXPECT_TRUE(*text == "old" || *text == "new, and longer") << *text;
      // What was left over is in nobody's way.
      ASSERT_TRUE(write_metadata_file(fs, "d/f", "3"));
      EXPECT_EQ(read_metadata_file(fs, "d/f").value(), "3");
      EXPECT_LT(cut, 20u);
    }
  }
}

TEST(durable_file, directories_survive_once_they_are_made) {
  memory_file_system fs;
  ASSERT_TRUE(create_directories_durably(fs, "/a/b/c"));
  fs.power_cut();
  EXPECT_TRUE(fs.exists("/a/b/c").value());
  ASSERT_TRUE(write_file_durably(fs, "/a/b/c/f", as_bytes("x")));
  ASSERT_TRUE(remove_file_durably(fs, "/a/b/c/f"));
  fs.power_cut();
  EXPECT_FALSE(fs.exists("/a/b/c/f").value());
  EXPECT_EQ(remove_file_durably(fs, "/a/b/c/f").error().code, errc::not_found);
}

TEST(durable_file, is_read_whole_up_to_a_limit) {
  memory_file_system fs;
  ASSERT_TRUE(write_file_durably(fs, "f", as_bytes("12345")));
  EXPECT_EQ(as_text(read_file(fs, "f").value()), "12345");
  EXPECT_EQ(read_file(fs, "f", 4).error().code, errc::limit);
  EXPECT_EQ(read_file(fs, "g").error().code, errc::not_found);
}

TEST(metadata_file, has_the_frozen_form) {
  memory_file_system fs;
  ASSERT_TRUE(write_metadata_file(fs, "m", "123456789"));
  EXPECT_EQ(as_text(read_file(fs, "m").value()), "123456789\n# crc32c E3069283\n");
}

TEST(metadata_file, is_refused_at_every_prefix_and_with_every_flipped_bit) {
  memory_file_system fs;
  const std::string text = "{\"timeline\": \"0123\", \"lsn\": \"16/B374D848\"}";
  ASSERT_TRUE(write_metadata_file(fs, "m", text));
  const bytes whole = read_file(fs, "m").value();
  EXPECT_EQ(read_metadata_file(fs, "m").value(), text);
  const auto refused = [&](byte_view data) {
    EXPECT_TRUE(write_file_durably(fs, "m", data));
    const auto read = read_metadata_file(fs, "m");
    EXPECT_FALSE(read);
    if (!read) {
      EXPECT_EQ(read.error().code, errc::corrupt);
      EXPECT_TRUE(read.error().message.starts_with("m is damaged")) << read.error().message;
    }
  };
  for (size_t cut = 0; cut < whole.size(); ++cut) refused(byte_view{whole}.first(cut));
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    bytes damaged = whole;
    damaged[bit / 8] ^= std::byte(1u << (bit % 8));
    refused(damaged);
  }
}

TEST(metadata_file, names_the_crc_expected_and_found) {
  memory_file_system fs;
  ASSERT_TRUE(write_file_durably(fs, "m", as_bytes("123456780\n# crc32c E3069283\n")));
  const std::string message = read_metadata_file(fs, "m").error().message;
  EXPECT_NE(message.find("found E3069283"), std::string::npos) << message;
  EXPECT_NE(message.find("expected CRC-32C"), std::string::npos) << message;
}

}  // namespace
}  // namespace zenith
