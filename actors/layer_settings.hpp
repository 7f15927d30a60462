// layer_settings: what the settings say of memory, layers and history, as storage takes it.
#pragma once

#include <map>
#include <string>

#include "config/settings.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/layer_limits.hpp"
#include "storage/layers/memory_shares.hpp"
#include "storage/repository/retention_rule.hpp"

namespace zenith::actors {

layers::memory_shares memory_shares_of(const config::settings& settings);
layers::layer_limits layer_limits_of(const config::settings& settings);

/// Those that a branch may have of its own, by key, in their text form.
using branch_settings = std::map<std::string, std::string>;
/// A branch's own where it has them, else the node's.
repository::retention_window history_window_of(const config::settings& settings,
                                               const branch_settings& own);
/// The same of WAL that is kept as it came.
repository::retention_window wal_window_of(const config::settings& settings,
                                           const branch_settings& own);
/// Sets one of a branch's own, or takes it back where the value is empty. Errors: those of
/// config::settings::set; unsupported for one that a branch cannot have.
result<void> change_branch_setting(branch_settings& own, const std::string& key,
                                   const std::string& value);
/// "7d, 1GB of WAL", for a person.
std::string shown_window(const repository::retention_window& window);

}  // namespace zenith::actors
