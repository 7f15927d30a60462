// A server's configuration: the user's own stays, Zenith's line comes last and once.
#include "storage/repository/compute_files.hpp"

#include <gtest/gtest.h>

namespace zenith::repository {
namespace {

TEST(compute_files, the_include_is_the_last_line_however_often_it_is_put) {
  const std::string mine = "work_mem = '64MB'\n# a comment without an end";
  const std::string once = with_include(mine);
  EXPECT_TRUE(once.starts_with(mine + "\ninclude_if_exists = 'zenith.conf'"));
  EXPECT_EQ(with_include(once), once);
  EXPECT_EQ(with_include(once + "shared_buffers = 1GB\n").find("shared_buffers"), mine.size() + 1);
  EXPECT_EQ(without_include(once), mine + "\n");
  EXPECT_EQ(without_include(""), "");
}

TEST(compute_files, quotes_what_could_end_a_value) {
  compute_settings settings;
  settings.socket_directory = "/a'b\\c";
  settings.port = 15432;
  const std::string text = generated_configuration(settings);
  EXPECT_NE(text.find("unix_socket_directories = '/a''b\\\\c'\n"), std::string::npos) << text;
  EXPECT_NE(text.find("port = 15432\n"), std::string::npos);
}

TEST(compute_files, a_synchronous_server_waits_for_the_receiver_and_only_for_it) {
  compute_settings settings;
  settings.receiver_name = "zenith";
  EXPECT_EQ(generated_configuration(settings).find("synchronous_standby_names"), std::string::npos);
  settings.commit = commit_mode::synchronous;
  EXPECT_NE(generated_configuration(settings).find("synchronous_standby_names = '\"zenith\"'"),
            std::string::npos);
}

}  // namespace
}  // namespace zenith::repository
