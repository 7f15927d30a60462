// The page service's commands as text.
#include "protocol/pages/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace zenith::pages {
namespace {

constexpr size_t words_max = 4;

/// The words of a text, one too many at most.
std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f\v";
  const size_t last = text.find_last_not_of(" \t\r\n\f\v;");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
  std::vector<std::string_view> words;
  while (words.size() < words_max) {
    const size_t start = text.find_first_not_of(blanks);
    if (start == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(blanks, start), text.size());
    words.push_back(text.substr(start, end - start));
    text.remove_prefix(end);
  }
  return words;
}

std::string lower(std::string_view word) {
  std::string out(word.substr(0, 32));
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

result<lsn> parse_position(std::string_view word) {
  if (!looks_like_lsn(word))
    return fail(errc::invalid_argument,
                fmt::format("'{}' is not an LSN: expected the form 16/B374D848", shown(word)));
  ZENITH_TRY_ASSIGN(const lsn at, parse_lsn(word));
  if (!at.is_valid())
    return fail(errc::invalid_argument, "LSN 0/0 is no position: every request names its LSN");
  return at;
}

}  // namespace

result<command> parse_command(std::string_view text) {
  const auto words = words_of(text);
  const std::string keyword = words.empty() ? "" : lower(words[0]);
  const bool takes_lsn = keyword == "basebackup" || keyword == "controlfile";
  if (!takes_lsn && keyword != "status" && keyword != "pagestream")
    return fail(errc::invalid_argument,
                fmt::format("'{}' is not a command of the page service: expected basebackup "
                            "TIMELINE LSN, controlfile TIMELINE LSN, status TIMELINE or pagestream "
                            "TIMELINE",
                            shown(text)));
  if (words.size() != (takes_lsn ? 3u : 2u))
    return fail(errc::invalid_argument, fmt::format("'{}': expected {} {}", shown(text), keyword,
                                                    takes_lsn ? "TIMELINE LSN" : "TIMELINE"));
  if (!looks_like_timeline_id(words[1]))
    return fail(errc::invalid_argument,
                fmt::format("'{}' is not a timeline id: expected 32 hex digits", shown(words[1])));
  ZENITH_TRY_ASSIGN(const timeline_id timeline, parse_timeline_id(words[1]));
  if (keyword == "status") return status_command{timeline};
  if (keyword == "pagestream") return pagestream_command{timeline};
  ZENITH_TRY_ASSIGN(const lsn at, parse_position(words[2]));
  if (keyword == "basebackup") return basebackup_command{timeline, at};
  return controlfile_command{timeline, at};
}

std::vector<wire::column> status_columns() {
  std::vector<wire::column> columns;
  for (const char* name : {"timeline", "start_lsn", "last_lsn", "durable_lsn", "state"})
    columns.push_back(wire::column::text(name));
  return columns;
}

wire::command_shape shape_of(const command& c) {
  using kind = wire::command_shape::kind;
  if (std::holds_alternative<basebackup_command>(c)) return {kind::copy_out, {}};
  if (std::holds_alternative<pagestream_command>(c)) return {kind::copy_both, {}};
  if (std::holds_alternative<status_command>(c)) return {kind::rows, status_columns()};
  return {kind::rows, {wire::column::bytea("controlfile")}};
}

result<wire::command_shape> shape_of_text(std::string_view text) {
  ZENITH_TRY_ASSIGN(const command c, parse_command(text));
  return shape_of(c);
}

const char* tag_of(const command& c) {
  static constexpr std::array tags{"BASEBACKUP", "STATUS", "CONTROLFILE", "PAGESTREAM"};
  return tags[c.index()];
}

std::string bytea_text(byte_view data) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "\\x";
  text.reserve(2 + 2 * data.size());
  for (const std::byte b : data) {
    text += digits[static_cast<uint8_t>(b) >> 4];
    text += digits[static_cast<uint8_t>(b) & 15];
  }
  return text;
}

}  // namespace zenith::pages
