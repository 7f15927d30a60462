// The tar and the directory that sinks make, and how they fail.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "storage/backup/directory_sink.hpp"
#include "storage/backup/tar_sink.hpp"
#include "tests/support/files.hpp"
#include "tests/support/process.hpp"

namespace zenith::backup {
namespace {

namespace fs = std::filesystem;

const timestamp now = timestamp::from_unix_us(1'790'000'000'000'000);

result<void> fill(backup_sink& sink, size_t large_bytes) {
  ZENITH_TRY(sink.add_file("PG_VERSION", as_bytes("15\n")));
  ZENITH_TRY(sink.add_directory("pg_tblspc"));
  ZENITH_TRY(sink.add_tablespace(16400));
  ZENITH_TRY(sink.add_directory("pg_tblspc/16400/PG_15_202209061"));
  ZENITH_TRY(sink.add_file("pg_tblspc/16400/PG_15_202209061/x", as_bytes("in a tablespace")));
  ZENITH_TRY(sink.add_file("standby.signal", {}));
  ZENITH_TRY(sink.begin_file("large", 0600, large_bytes));
  const bytes piece(1000, std::byte{'a'});
  size_t done = 0;
  for (; done + piece.size() <= large_bytes / 2; done += piece.size())
    ZENITH_TRY(sink.write(piece));
  ZENITH_TRY(sink.write_zeros(large_bytes - done));
  ZENITH_TRY(sink.end_file());
  return sink.finish();
}

void expect_filled(const fs::path& root, size_t large_bytes) {
  EXPECT_EQ(as_text(testing::read_file(root / "PG_VERSION")), "15\n");
  EXPECT_EQ(as_text(testing::read_file(root / "pg_tblspc/16400/PG_15_202209061/x")),
            "in a tablespace");
  EXPECT_EQ(fs::file_size(root / "standby.signal"), 0u);
  const bytes large = testing::read_file(root / "large");
  ASSERT_EQ(large.size(), large_bytes);
  EXPECT_EQ(large[large_bytes / 4], std::byte{'a'});
  EXPECT_EQ(large.back(), std::byte{0});
  EXPECT_EQ(fs::status(root / "large").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(root / "pg_tblspc").permissions(), fs::perms::owner_all);
}

TEST(tar_sink, gives_a_tar_that_tar_unpacks_piece_by_piece) {
  testing::temporary_directory directory;
  size_t pieces = 0;
  {
    std::ofstream out(directory / "all.tar", std::ios::binary);
    tar_sink sink{[&](byte_view piece) -> result<void> {
                    ++pieces;
                    out.write(reinterpret_cast<const char*>(piece.data()),
                              static_cast<std::streamsize>(piece.size()));
                    return {};
                  },
                  now};
    ASSERT_TRUE(fill(sink, 3'000'001));
  }
  EXPECT_GT(pieces, 5u);
  fs::create_directory(directory / "out");
  testing::run_ok(
      {"tar", "-C", (directory / "out").string(), "-xf", (directory / "all.tar").string()},
      testing::run_as::myself);
  expect_filled(directory / "out", 3'000'001);
}

TEST(tar_sink, hands_on_the_error_of_who_takes_the_bytes) {
  size_t taken = 0;
  tar_sink sink{[&](byte_view piece) -> result<void> {
                  taken += piece.size();
                  if (taken > 1'000'000) return fail(errc::unavailable, "the client went away");
                  return {};
                },
                now};
  const auto failed = fill(sink, 8'000'000);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errc::unavailable);
  EXPECT_EQ(failed.error().message, "the client went away");
  EXPECT_LT(taken, 2'000'000u);
}

TEST(tar_sink, an_unfinished_backup_is_no_whole_tar) {
  bytes written;
  {
    tar_sink sink{[&](byte_view piece) -> result<void> {
                    written.insert(written.end(), piece.begin(), piece.end());
                    return {};
                  },
                  now};
    ASSERT_TRUE(sink.add_file("a", as_bytes("text")));
  }
  EXPECT_TRUE(written.empty());
}

TEST(directory_sink, writes_files_and_links_tablespaces_to_their_folder) {
  testing::temporary_directory directory;
  const fs::path target = directory / "data";
  directory_sink_options how;
  how.tablespaces = directory / "places";
  how.keep = directory_sink_options::durability::synced;
  auto sink = directory_sink::create(posix_file_system(), target, how);
  ASSERT_TRUE(sink);
  const auto filled = fill(**sink, 1'000'001);
  ASSERT_TRUE(filled) << filled.error().message;
  expect_filled(target, 1'000'001);
  EXPECT_EQ(fs::read_symlink(target / "pg_tblspc/16400"), directory / "places/16400");
  EXPECT_EQ(fs::status(target).permissions(), fs::perms::owner_all);

  auto again = directory_sink::create(posix_file_system(), target, how);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::already_exists);
  EXPECT_NE(again.error().message.find("is not empty"), std::string::npos);
  auto other = directory_sink::create(posix_file_system(), directory / "other", how);
  const auto taken = fill(**other, 10);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, errc::already_exists);
  EXPECT_NE(taken.error().message.find("tablespace 16400"), std::string::npos);
}

TEST(sinks, names_that_lead_out_of_the_directory_are_refused) {
  testing::temporary_directory directory;
  auto sink = directory_sink::create(posix_file_system(), directory / "data", {});
  ASSERT_TRUE(sink);
  tar_sink tar{[](byte_view) -> result<void> { return {}; }, now};
  for (const char* name : {"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/"}) {
    EXPECT_EQ((*sink)->add_file(name, {}).error().code, errc::corrupt) << name;
    EXPECT_EQ(tar.add_file(name, {}).error().code, errc::corrupt) << name;
    EXPECT_EQ((*sink)->add_directory(name).error().code, errc::corrupt) << name;
  }
}

}  // namespace
}  // namespace zenith::backup
