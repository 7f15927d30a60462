// One contract for the machine's file system and for the tests' own, and what a power cut takes.
#include "storage/io/file_system.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/memory_file_system.hpp"
#include "tests/support/process.hpp"

namespace zenith {
namespace {

using testing::memory_file_system;
using testing::temporary_directory;

class file_systems : public ::testing::TestWithParam<const char*> {
 protected:
  bool real() const { return std::string_view(GetParam()) == "posix"; }
  file_system& fs() { return real() ? posix_file_system() : memory_; }
  path in(const path& name) const { return directory_ / name; }
  void SetUp() override { ASSERT_TRUE(fs().create_directories(directory_.path())); }

  std::string text_of(const path& name) {
    auto opened = fs().open(in(name), open_mode::read);
    if (!opened) return "error: " + opened.error().message;
    bytes data((*opened)->size_bytes().value());
    if (auto read = (*opened)->read(0, data); !read) return "error: " + read.error().message;
    return std::string(as_text(data));
  }
  std::unique_ptr<file> made(const path& name, std::string_view text) {
    auto opened = fs().open(in(name), open_mode::create);
    EXPECT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE((*opened)->write(0, as_bytes(text)));
    return std::move(*opened);
  }

 private:
  temporary_directory directory_;
  memory_file_system memory_;
};
INSTANTIATE_TEST_SUITE_P(both, file_systems, ::testing::Values("posix", "memory"),
                         [](const auto& info) { return info.param; });

TEST_P(file_systems, a_file_holds_what_was_written_with_zeros_between) {
  auto opened = made("a", "hello");
  ASSERT_TRUE(opened->write(8, as_bytes("world")));
  ASSERT_TRUE(opened->sync());
  EXPECT_EQ(opened->size_bytes().value(), 13u);
  EXPECT_EQ(text_of("a"), std::string("hello\0\0\0world", 13));
  ASSERT_TRUE(opened->resize(3));
  ASSERT_TRUE(opened->resize(5));
  EXPECT_EQ(text_of("a"), std::string("hel\0\0", 5));
}

TEST_P(file_systems, a_read_past_the_end_is_corrupt_and_names_file_and_offset) {
  auto opened = made("short", "12345");
  bytes into(4);
  ASSERT_TRUE(opened->read(1, into));
  for (const uint64_t at : {uint64_t{2}, uint64_t{5}, uint64_t{6}, uint64_t{1} << 40}) {
    const auto got = opened->read(at, into);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, errc::corrupt);
    EXPECT_NE(got.error().message.find(in("short").string()), std::string::npos);
    EXPECT_NE(got.error().message.find("offset"), std::string::npos);
  }
}

TEST_P(file_systems, opening_fails_as_the_mode_says) {
  EXPECT_EQ(fs().open(in("no"), open_mode::read).error().code, errc::not_found);
  EXPECT_EQ(fs().open(in("no"), open_mode::write).error().code, errc::not_found);
  EXPECT_EQ(fs().open(in("no/file"), open_mode::create).error().code, errc::not_found);
  ASSERT_TRUE(fs().open(in("one"), open_mode::create_new));
  EXPECT_EQ(fs().open(in("one"), open_mode::create_new).error().code, errc::already_exists);
  EXPECT_TRUE(fs().open(in("one"), open_mode::create));
  auto reading = fs().open(in("one"), open_mode::read);
  ASSERT_TRUE(reading);
  EXPECT_EQ((*reading)->write(0, as_bytes("x")).error().code, errc::io);
}

TEST_P(file_systems, directories_are_made_listed_in_order_and_removed_with_all_in_them) {
  ASSERT_TRUE(fs().create_directories(in("d/e/f")));
  ASSERT_TRUE(fs().create_directories(in("d/e/f")));
  made("d/b", "1");
  made("d/a", "2");
  const auto all = fs().list(in("d")).value();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[1].name, "b");
  EXPECT_EQ(all[2].name, "e");
  EXPECT_FALSE(all[0].is_directory);
  EXPECT_TRUE(all[2].is_directory);
  EXPECT_EQ(fs().create_directories(in("d/a/x")).error().code, errc::io);
  EXPECT_EQ(fs().create_directories(in("d/a")).error().code, errc::io);
  EXPECT_EQ(fs().list(in("none")).error().code, errc::not_found);
  EXPECT_EQ(fs().sync_directory(in("none")).error().code, errc::not_found);
  ASSERT_TRUE(fs().sync_directory(in("d")));
  ASSERT_TRUE(fs().remove_all(in("d")));
  ASSERT_TRUE(fs().remove_all(in("d")));
  EXPECT_FALSE(fs().exists(in("d")).value());
}

TEST_P(file_systems, a_rename_replaces_and_a_removed_file_is_gone) {
  made("from", "new");
  made("to", "old");
  ASSERT_TRUE(fs().rename(in("from"), in("to")));
  EXPECT_EQ(text_of("to"), "new");
  EXPECT_FALSE(fs().exists(in("from")).value());
  EXPECT_EQ(fs().rename(in("from"), in("to")).error().code, errc::not_found);
  ASSERT_TRUE(fs().remove(in("to")));
  EXPECT_EQ(fs().remove(in("to")).error().code, errc::not_found);
  EXPECT_FALSE(fs().exists(in("to/below")).value());
}

TEST(posix_file_system, makes_files_and_directories_that_only_their_owner_can_use) {
  const temporary_directory directory;
  ASSERT_TRUE(posix_file_system().create_directories(directory / "a/b"));
  ASSERT_TRUE(posix_file_system().open(directory / "a/b/c", open_mode::create));
  struct stat status;
  ASSERT_EQ(::stat((directory / "a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((directory / "a/b/c").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(posix_file_system, says_which_file_and_why) {
  const temporary_directory directory;
  const auto got = posix_file_system().open(directory / "absent", open_mode::read);
  EXPECT_EQ(got.error().message,
            "cannot open " + (directory / "absent").string() + ": No such file or directory");
  // A device that is always full.
  auto full = posix_file_system().open("/dev/full", open_mode::write);
  ASSERT_TRUE(full);
  const auto written = (*full)->write(0, as_bytes("x"));
  EXPECT_EQ(written.error().code, errc::io);
  EXPECT_EQ(written.error().message, "cannot write /dev/full at offset 0: No space left on device");
}

class power : public ::testing::Test {
 protected:
  std::string text_of(const path& name) {
    auto opened = fs_.open(name, open_mode::read);
    if (!opened) return "none";
    bytes data((*opened)->size_bytes().value());
    EXPECT_TRUE((*opened)->read(0, data));
    return std::string(as_text(data));
  }
  memory_file_system fs_;
};

TEST_F(power, takes_bytes_that_were_not_synced) {
  auto opened = fs_.open("f", open_mode::create).value();
  ASSERT_TRUE(opened->write(0, as_bytes("kept")));
  ASSERT_TRUE(opened->sync());
  ASSERT_TRUE(fs_.sync_directory("/"));
  ASSERT_TRUE(opened->write(0, as_bytes("lost and longer")));
  fs_.power_cut();
  EXPECT_EQ(text_of("f"), "kept");
  EXPECT_EQ(opened->write(0, as_bytes("x")).error().code, errc::io);
}

TEST_F(power, takes_names_that_were_not_synced_even_of_synced_files) {
  auto opened = fs_.open("f", open_mode::create).value();
  ASSERT_TRUE(opened->write(0, as_bytes("text")));
  ASSERT_TRUE(opened->sync());
  fs_.power_cut();
  EXPECT_EQ(text_of("f"), "none");
  // And the bytes of a file whose name was synced, but not itself.
  opened = fs_.open("f", open_mode::create).value();
  ASSERT_TRUE(opened->write(0, as_bytes("text")));
  ASSERT_TRUE(fs_.sync_directory("/"));
  fs_.power_cut();
  EXPECT_EQ(text_of("f"), "");
}

TEST_F(power, undoes_renames_and_removals_that_were_not_synced) {
  for (const char* name : {"a", "b"}) {
    auto opened = fs_.open(name, open_mode::create).value();
    ASSERT_TRUE(opened->write(0, as_bytes(name)));
    ASSERT_TRUE(opened->sync());
  }
  ASSERT_TRUE(fs_.sync_directory("/"));
  ASSERT_TRUE(fs_.rename("a", "b"));
  fs_.power_cut();
  EXPECT_EQ(text_of("a") + text_of("b"), "ab");
  ASSERT_TRUE(fs_.remove("a"));
  fs_.power_cut();
  EXPECT_EQ(text_of("a"), "a");
  ASSERT_TRUE(fs_.rename("a", "b"));
  ASSERT_TRUE(fs_.sync_directory("/"));
  fs_.power_cut();
  EXPECT_EQ(text_of("a") + text_of("b"), "nonea");
}

TEST_F(power, lost_at_an_operation_fails_all_later_ones_until_it_is_back) {
  auto opened = fs_.open("f", open_mode::create).value();
  ASSERT_TRUE(opened->write(0, as_bytes("kept")));
  ASSERT_TRUE(opened->sync());
  ASSERT_TRUE(fs_.sync_directory("/"));
  fs_.fail_at(fs_.operations() + 1, memory_file_system::fault::power);
  ASSERT_TRUE(opened->write(0, as_bytes("more")));
  EXPECT_FALSE(opened->sync());
  EXPECT_FALSE(opened->write(0, as_bytes("x")));
  EXPECT_FALSE(fs_.open("f", open_mode::read));
  fs_.power_cut();
  EXPECT_EQ(text_of("f"), "kept");
}

TEST_F(power, a_full_disk_takes_half_a_write_and_a_failed_sync_stays_failed) {
  auto opened = fs_.open("f", open_mode::create).value();
  fs_.fail_at(fs_.operations(), memory_file_system::fault::no_space);
  const auto written = opened->write(0, as_bytes("12345678"));
  EXPECT_EQ(written.error().message, "cannot write f: No space left on device");
  EXPECT_EQ(text_of("f"), "1234");
  fs_.fail_at(fs_.operations(), memory_file_system::fault::io_error);
  EXPECT_FALSE(opened->sync());
  EXPECT_FALSE(opened->sync());
}

}  // namespace
}  // namespace zenith
