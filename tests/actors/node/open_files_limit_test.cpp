// How many files the process may have open.
#include "actors/node/open_files_limit.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace zenith::actors {
namespace {

config::settings settings_of(const std::string& json) {
  return config::settings::from_json(json).value();
}

TEST(open_files_limit, is_raised_as_far_as_the_system_lets_it) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto raised = raise_open_files_limit();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(raised) << raised.error().message;
  EXPECT_EQ(*raised, before.rlim_max);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

TEST(open_files_limit, has_to_have_room_for_what_the_settings_ask_for) {
  const auto settings = settings_of(R"({"open_files_max": "500", "connections_max": "44"})");
  EXPECT_TRUE(check_open_files(settings, 800));
  const auto refused = check_open_files(settings, 799);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::limit);
  for (const std::string part : {"799", "800", "open_files_max 500", "connections_max 44"})
    EXPECT_NE(refused.error().message.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace zenith::actors
