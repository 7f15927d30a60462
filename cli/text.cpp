// Tables, sizes, times and trees for people.
#include "cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "storage/base/lsn.hpp"

namespace zenith::cli {
namespace {

// Characters of a UTF-8 text: the bytes that do not continue one.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void append_line(std::string& text, const std::vector<column>& columns,
                 const std::vector<size_t>& widths, const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string padding(widths[i] - width_of(cells[i]), ' ');
    if (i > 0) line += "  ";
    line += columns[i].align == column::side::right ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  text += line + "\n";
}

// "5 min" of a number of seconds.
std::string rough_span(int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

using children_map = std::multimap<std::string, const actors::branch_info*>;

void add_branch(const actors::branch_info& branch, const std::string& head,
                const std::string& below, const children_map& children, timestamp now,
                std::vector<std::vector<std::string>>& rows) {
  rows.push_back({head + branch.name, shown_lsn(branch.start_lsn), shown_lsn(branch.last_lsn),
                  shown_time(timestamp::from_unix_us(branch.created_at), now)});
  const auto [first, last] = children.equal_range(branch.name);
  for (auto child = first; child != last; ++child) {
    const bool is_last = std::next(child) == last;
    add_branch(*child->second, below + (is_last ? "└─ " : "├─ "), below + (is_last ? "   " : "│  "),
               children, now, rows);
  }
}

}  // namespace

std::string table(const std::vector<column>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (const column& one : columns) {
    titles.emplace_back(one.title);
    widths.push_back(width_of(titles.back()));
  }
  std::vector<std::vector<std::string>> cells = rows;
  for (auto& row : cells) {
    row.resize(columns.size());
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i].empty()) row[i] = "-";
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string text;
  append_line(text, columns, widths, titles);
  for (const auto& row : cells) append_line(text, columns, widths, row);
  return text;
}

std::string shown_size(uint64_t size_bytes) {
  if (size_bytes < 1024) return fmt::format("{} B", size_bytes);
  constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(size_bytes) / 1024;
  size_t unit = 0;
  // 1023.95 would round to "1024.0".
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string shown_duration(uint64_t duration_us) {
  if (duration_us < 1000) return fmt::format("{} us", duration_us);
  if (duration_us < 1'000'000)
    return fmt::format("{:.1f} ms", static_cast<double>(duration_us) / 1e3);
  return fmt::format("{:.1f} s", static_cast<double>(duration_us) / 1e6);
}

std::string relative_time(timestamp moment, timestamp now) {
  const int64_t seconds = (now.microseconds() - moment.microseconds()) / 1'000'000;
  if (seconds > -2 && seconds < 2) return "just now";
  return seconds > 0 ? rough_span(seconds) + " ago" : "in " + rough_span(-seconds);
}

std::string shown_time(timestamp moment, timestamp now) {
  // People need no fraction of a second.
  const timestamp whole = timestamp::from_unix_us(
      moment.unix_us() - (moment.unix_us() % 1'000'000 + 1'000'000) % 1'000'000);
  return to_string(whole) + " (" + relative_time(moment, now) + ")";
}

std::string shown_lsn(uint64_t position) {
  return position == 0 ? std::string("-") : to_string(lsn{position});
}

std::string branch_tree(const std::vector<actors::branch_info>& branches, timestamp now) {
  std::vector<const actors::branch_info*> sorted;
  for (const auto& branch : branches) sorted.push_back(&branch);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return std::tie(a->start_lsn, a->name) < std::tie(b->start_lsn, b->name);
  });
  std::set<std::string> names;
  for (const auto* branch : sorted) names.insert(branch->name);
  // A parent that cannot be read is not listed; its children are, all the same.
  const auto is_root = [&](const auto* branch) { return !names.contains(branch->parent); };
  children_map children;
  for (const auto* branch : sorted)
    if (!is_root(branch)) children.emplace(branch->parent, branch);
  std::vector<std::vector<std::string>> rows;
  for (const auto* branch : sorted)
    if (is_root(branch)) add_branch(*branch, "", "", children, now, rows);
  return table({{"branch"}, {"starts at"}, {"ends at"}, {"created"}}, rows);
}

}  // namespace zenith::cli
