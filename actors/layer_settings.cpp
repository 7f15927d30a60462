// What the settings say of memory, layers and history.
#include "actors/layer_settings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::actors {
namespace {

constexpr const char* window_key = "history_window";
constexpr const char* size_key = "history_size";
constexpr const char* wal_time_key = "wal_keep_time";
constexpr const char* wal_size_key = "wal_keep_size";
// Sizes of merges, told by the files that they make.
constexpr uint64_t files_of_first_level = 4;
constexpr uint64_t files_of_a_job = 8;

bool may_be_a_branchs_own(const std::string& key) {
  return key == window_key || key == size_key || key == wal_time_key || key == wal_size_key;
}

repository::retention_window window_of(const config::settings& settings, const branch_settings& own,
                                       const char* time_key, const char* bytes_key) {
  config::settings both = settings;
  // What no longer fits is as if it were not there: the node's own counts.
  for (const auto& [key, value] : own)
    if (may_be_a_branchs_own(key)) static_cast<void>(both.set(key, value));
  repository::retention_window window;
  window.time_us = static_cast<uint64_t>(both.duration(time_key).count()) * 1000;
  window.wal_bytes = both.size_bytes(bytes_key);
  return window;
}

}  // namespace

layers::memory_shares memory_shares_of(const config::settings& settings) {
  return layers::share_memory(settings.size_bytes("memory_limit"),
                              settings.size_bytes("open_layer_size"));
}

layers::layer_limits layer_limits_of(const config::settings& settings) {
  layers::layer_limits limits;
  limits.open_layer_bytes = memory_shares_of(settings).open_layer_bytes;
  limits.file_bytes = settings.size_bytes("layer_file_size");
  limits.level0_merge_at = static_cast<unsigned>(settings.count("level0_merge_at"));
  limits.level0_max =
      std::max(static_cast<unsigned>(settings.count("level0_max")), limits.level0_merge_at + 1);
  limits.level1_bytes = files_of_first_level * limits.file_bytes;
  limits.job_bytes = files_of_a_job * limits.file_bytes;
  limits.records_per_page_max = static_cast<unsigned>(settings.count("records_per_page_max"));
  limits.flush_compression_level = static_cast<int>(settings.count("flush_compression_level"));
  limits.merge_compression_level = static_cast<int>(settings.count("merge_compression_level"));
  return limits;
}

repository::retention_window history_window_of(const config::settings& settings,
                                               const branch_settings& own) {
  return window_of(settings, own, window_key, size_key);
}

repository::retention_window wal_window_of(const config::settings& settings,
                                           const branch_settings& own) {
  return window_of(settings, own, wal_time_key, wal_size_key);
}

result<void> change_branch_setting(branch_settings& own, const std::string& key,
                                   const std::string& value) {
  ZENITH_TRY_ASSIGN(const config::setting* const row, config::find_setting(key));
  if (!may_be_a_branchs_own(row->key))
    return fail(
        errc::unsupported,
        fmt::format("{} is for the whole node; a branch can have {}, {}, {} and {} of its own", key,
                    window_key, size_key, wal_time_key, wal_size_key));
  if (value.empty()) {
    own.erase(key);
    return {};
  }
  config::settings one;
  ZENITH_TRY(one.set(key, value));
  ZENITH_TRY_ASSIGN(own[key], one.shown(key));
  return {};
}

std::string shown_window(const repository::retention_window& window) {
  if (window.keeps_everything()) return "everything";
  config::settings both;
  static_cast<void>(both.set(window_key, fmt::format("{}ms", window.time_us / 1000)));
  static_cast<void>(both.set(size_key, fmt::format("{}B", window.wal_bytes)));
  return both.shown(window_key).value_or("") + ", " + both.shown(size_key).value_or("") + " of WAL";
}

}  // namespace zenith::actors
