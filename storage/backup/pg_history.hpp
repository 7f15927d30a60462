// pg_history: timeline history files, which tell where each pg_timeline was left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::backup {

/// A pg_timeline that a later one goes back to, and the LSN at which it was left.
struct past_pg_timeline {
  pg_timeline number{};
  lsn until;

  bool operator==(const past_pg_timeline&) const = default;
};

/// The contents of a history file (timeline.c, writeTimeLineHistory), oldest first.
std::string pg_history_text(const std::vector<past_pg_timeline>& history);

/// Empty lines and comments are skipped, as readTimeLineHistory does. Error: corrupt.
result<std::vector<past_pg_timeline>> parse_pg_history(std::string_view text);

}  // namespace zenith::backup
