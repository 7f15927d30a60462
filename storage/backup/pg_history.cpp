// Timeline history files as text.
#include "storage/backup/pg_history.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/backup/file_names.hpp"

namespace zenith::backup {

std::string pg_history_text(const std::vector<past_pg_timeline>& history) {
  std::string text;
  for (const past_pg_timeline& past : history)
    text +=
        fmt::format("{}\t{}\tbranch\n", static_cast<uint32_t>(past.number), to_string(past.until));
  return text;
}

result<std::vector<past_pg_timeline>> parse_pg_history(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  std::vector<past_pg_timeline> history;
  const auto next_word = [&](std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(blanks));
    line.remove_prefix(word.size());
    return word;
  };
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    const std::string_view first = next_word(line);
    if (first.empty() || first.front() == '#') continue;
    const auto number = parse_oid(first);
    const auto until = parse_lsn(next_word(line));
    if (!number || !until ||
        (!history.empty() && *number <= static_cast<uint32_t>(history.back().number)))
      return fail(errc::corrupt,
                  fmt::format("a timeline history says \"{}\" at pg_timeline {}, expected a larger "
                              "number than before and an LSN",
                              first, history.size() + 1));
    history.push_back({pg_timeline{*number}, *until});
  }
  return history;
}

}  // namespace zenith::backup
