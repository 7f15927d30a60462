// Configuration files that a timeline keeps: what is read is what was kept, or an error says so.
#include "storage/repository/kept_configuration.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/io/durable_file.hpp"
#include "tests/support/memory_file_system.hpp"

namespace zenith::repository {
namespace {

using testing::memory_file_system;

const path pgdata = "pgdata";
const path folder = "timeline/configuration";

void write(file_system& files, const path& name, std::string_view text) {
  ASSERT_TRUE(create_directories_durably(files, name.parent_path()));
  ASSERT_TRUE(write_file_durably(files, name, as_bytes(text)));
}

// "NAME: CONTENTS" of each file, or the error.
std::string told(file_system& files, const std::vector<path>& folders = {folder}) {
  const auto read = newest_configuration(files, folders);
  if (!read) return read.error().message;
  std::string all;
  for (const backup::extra_file& one : *read) all += one.name + ": " + one.contents;
  return all;
}

class kept_configuration : public ::testing::Test {
 protected:
  kept_configuration() {
    write(files, pgdata / "postgresql.conf", "a = 1\n");
    write(files, pgdata / "pg_hba.conf", "local\n");
    EXPECT_TRUE(keep_configuration(files, pgdata, folder));
  }

  memory_file_system files;
  const std::string as_it_was = "postgresql.conf: a = 1\npg_hba.conf: local\n";
};

TEST_F(kept_configuration, is_read_as_it_was_kept) {
  EXPECT_EQ(told(files), as_it_was);
  EXPECT_EQ(told(files, {"nothing", folder, pgdata}), as_it_was);
  EXPECT_EQ(told(files, {"nothing"}), "");
}

TEST_F(kept_configuration, that_is_the_same_is_not_written_again) {
  const uint64_t before = files.operations();
  ASSERT_TRUE(keep_configuration(files, pgdata, folder));
  EXPECT_EQ(files.operations(), before);
}

TEST_F(kept_configuration, of_an_earlier_version_has_no_sums_and_gets_them) {
  ASSERT_TRUE(remove_file_durably(files, folder / configuration_sums_name));
  write(files, folder / "postgresql.conf", "b = 2\n");
  EXPECT_EQ(told(files), "postgresql.conf: b = 2\npg_hba.conf: local\n");
  ASSERT_TRUE(keep_configuration(files, pgdata, folder));
  EXPECT_EQ(told(files), as_it_was);
  write(files, folder / "postgresql.conf", "b = 2\n");
  EXPECT_NE(told(files).find("timeline/configuration/postgresql.conf is damaged"),
            std::string::npos);
}

TEST_F(kept_configuration, that_is_gone_is_told) {
  ASSERT_TRUE(remove_file_durably(files, folder / "postgresql.conf"));
  EXPECT_NE(told(files, {folder, pgdata}).find("postgresql.conf is missing"), std::string::npos)
      << told(files);
}

TEST_F(kept_configuration, of_which_the_server_has_no_file_any_more_stays_with_its_sum) {
  ASSERT_TRUE(remove_file_durably(files, pgdata / "pg_hba.conf"));
  write(files, pgdata / "postgresql.conf", "a = 2\n");
  ASSERT_TRUE(keep_configuration(files, pgdata, folder));
  EXPECT_EQ(told(files), "postgresql.conf: a = 2\npg_hba.conf: local\n");
  write(files, folder / "pg_hba.conf", "loca1\n");
  EXPECT_NE(told(files).find("pg_hba.conf is damaged"), std::string::npos) << told(files);
}

TEST_F(kept_configuration, with_sums_of_another_form_is_refused) {
  for (const char* text : {"[]", R"({"other.conf": "01234567"})", R"({"pg_hba.conf": "0123456"})",
                           R"({"pg_hba.conf": "0123456G"})", R"({"pg_hba.conf": "+1234567"})",
                           R"({"pg_hba.conf": 1})"}) {
    ASSERT_TRUE(write_metadata_file(files, folder / configuration_sums_name, text));
    const auto read = newest_configuration(files, {folder});
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, errc::corrupt);
    EXPECT_NE(read.error().message.find("timeline/configuration/checksums"), std::string::npos);
  }
}

// Each file is the old or the new one then, and nothing is taken for damage.
TEST_F(kept_configuration, survives_a_power_cut_at_any_operation_and_is_kept_again) {
  write(files, pgdata / "pg_ident.conf", "map\n");
  uint64_t cuts = 0;
  for (bool cut = true; cut; ++cuts) {
    write(files, pgdata / "postgresql.conf", fmt::format("a = {}\n", cuts + 2));
    const bool last_was_even = cuts % 2 == 0;
    write(files, pgdata / "pg_hba.conf", last_was_even ? "host\n" : "local\n");
    files.fail_at(files.operations() + cuts, memory_file_system::fault::power);
    cut = !keep_configuration(files, pgdata, folder);
    if (cut && cuts % 2 == 0)
      files.power_cut();
    else
      files.power_cut_keeping_some(cuts);
    const auto read = newest_configuration(files, {folder});
    ASSERT_TRUE(read) << "operation " << cuts << ": " << read.error().message;
    ASSERT_TRUE(keep_configuration(files, pgdata, folder));
    ASSERT_EQ(told(files), told(files, {pgdata})) << "operation " << cuts;
    ASSERT_LT(cuts, 1000u);
  }
  EXPECT_GT(cuts, 8u);
}

}  // namespace
}  // namespace zenith::repository
