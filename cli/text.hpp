// text: tables, sizes, times and trees for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/message_data.hpp"
#include "storage/base/timestamp.hpp"

namespace zenith::cli {

/// A table's column; numbers go to the right.
struct column {
  const char* title;
  enum class side : uint8_t { left, right } align = side::left;
};

/// Lines with their ends, columns two spaces apart, no spaces at a line's end. An empty cell shows
/// "-". Widths count UTF-8 characters.
std::string table(const std::vector<column>& columns,
                  const std::vector<std::vector<std::string>>& rows);

/// "0 B", "8.0 kB", "1.2 GB": steps of 1024, one decimal.
std::string shown_size(uint64_t size_bytes);
/// "850 us", "12.3 ms", "4.2 s".
std::string shown_duration(uint64_t duration_us);
/// "just now", "5 min ago", "3 days ago", "in 2 h".
std::string relative_time(timestamp moment, timestamp now);
/// "2026-11-22T10:00:00Z (5 min ago)".
std::string shown_time(timestamp moment, timestamp now);
/// "16/B374D848"; "-" for none.
std::string shown_lsn(uint64_t position);

/// Branches as a tree, children below their parent, indented by it; roots first, by name.
std::string branch_tree(const std::vector<actors::branch_info>& branches, timestamp now);

}  // namespace zenith::cli
