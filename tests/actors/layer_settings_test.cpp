// What settings become for storage, and which of them a branch may have of its own.
#include "actors/layer_settings.hpp"

#include <gtest/gtest.h>

namespace zenith::actors {
namespace {

TEST(layer_settings, become_limits_that_go_together) {
  config::settings settings;
  ASSERT_TRUE(settings.set("memory_limit", "64MB"));
  ASSERT_TRUE(settings.set("open_layer_size", "4GB"));
  ASSERT_TRUE(settings.set("level0_merge_at", "20"));
  ASSERT_TRUE(settings.set("level0_max", "5"));
  ASSERT_TRUE(settings.set("layer_file_size", "1MB"));
  const layers::layer_limits limits = layer_limits_of(settings);
  EXPECT_EQ(limits.open_layer_bytes, uint64_t{6} << 20);
  EXPECT_GT(limits.level0_max, limits.level0_merge_at);
  EXPECT_GT(limits.level1_bytes, limits.file_bytes);
  EXPECT_GT(limits.job_bytes, limits.file_bytes);
}

TEST(layer_settings, a_branch_has_its_own_window_or_the_nodes) {
  config::settings settings;
  ASSERT_TRUE(settings.set("history_window", "2d"));
  branch_settings own;
  constexpr uint64_t day_us = uint64_t{24} * 3600 * 1'000'000;
  EXPECT_EQ(history_window_of(settings, own).time_us, 2 * day_us);
  ASSERT_TRUE(change_branch_setting(own, "history_window", "72h"));
  ASSERT_TRUE(change_branch_setting(own, "history_size", "1gb"));
  EXPECT_EQ(own, (branch_settings{{"history_window", "3d"}, {"history_size", "1GB"}}));
  EXPECT_EQ(history_window_of(settings, own).time_us, 3 * day_us);
  EXPECT_EQ(history_window_of(settings, own).wal_bytes, uint64_t{1} << 30);
  EXPECT_EQ(shown_window(history_window_of(settings, own)), "3d, 1GB of WAL");
  ASSERT_TRUE(change_branch_setting(own, "history_window", ""));
  EXPECT_EQ(history_window_of(settings, own).time_us, 2 * day_us);
}

TEST(layer_settings, what_is_the_nodes_or_no_setting_is_refused_for_a_branch) {
  branch_settings own;
  EXPECT_EQ(change_branch_setting(own, "memory_limit", "1GB").error().code, errc::unsupported);
  EXPECT_EQ(change_branch_setting(own, "history_windo", "1d").error().code, errc::not_found);
  EXPECT_EQ(change_branch_setting(own, "history_window", "soon").error().code,
            errc::invalid_argument);
  EXPECT_TRUE(own.empty());
}

}  // namespace
}  // namespace zenith::actors
