// Settings: their values as text, checked against the table.
#include "config/settings.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "config/settings_json.hpp"
#include "storage/base/assert.hpp"

namespace zenith::config {
namespace {

struct unit {
  std::string_view name;
  int64_t factor;
};

// Ascending; what a text is shown in is the greatest that divides it.
constexpr unit size_units[] = {{"B", 1},
                               {"kB", int64_t{1} << 10},
                               {"MB", int64_t{1} << 20},
                               {"GB", int64_t{1} << 30},
                               {"TB", int64_t{1} << 40}};
constexpr unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

std::span<const unit> units_of(value_kind kind) {
  if (kind == value_kind::size) return size_units;
  if (kind == value_kind::duration) return duration_units;
  return {};
}

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

/// The number that a text of digits and a unit means; nullopt where it is none or overflows. Only a
/// count may be below 0.
std::optional<int64_t> parse_number(value_kind kind, std::string_view text) {
  int64_t number = 0;
  const char* end_of_text = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), end_of_text, number);
  if (failure != std::errc{} || (number < 0 && kind != value_kind::count)) return std::nullopt;
  std::string_view unit_name(end, static_cast<size_t>(end_of_text - end));
  while (!unit_name.empty() && unit_name.front() == ' ') unit_name.remove_prefix(1);
  if (kind == value_kind::count) return unit_name.empty() ? std::optional(number) : std::nullopt;
  // No unit would leave it open what is meant; only 0 is the same in all.
  if (unit_name.empty() && number == 0) return 0;
  for (const unit& u : units_of(kind)) {
    if (!same_letters(unit_name, u.name)) continue;
    int64_t product = 0;
    if (__builtin_mul_overflow(number, u.factor, &product)) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

std::string show_number(value_kind kind, int64_t number) {
  const auto units = units_of(kind);
  for (size_t i = units.size(); i-- > 0;)
    if (number % units[i].factor == 0 && (number != 0 || i == 0))
      return std::to_string(number / units[i].factor) + std::string(units[i].name);
  return std::to_string(number);
}

std::string expected_form(const setting& row) {
  switch (row.kind) {
    case value_kind::text:
      return "a text of printable characters";
    case value_kind::count:
      return "a whole number";
    case value_kind::size:
      return "a size such as 64MB (units B, kB, MB, GB, TB)";
    case value_kind::duration:
      return "a duration such as 10s (units ms, s, min, h, d)";
    case value_kind::flag:
      return "on or off";
    case value_kind::word:
      return "one of " + std::string(row.words);
  }
  return "another value";
}

tl::unexpected<error> bad_value(const setting& row, std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 80)) shown += c >= ' ' && c <= '~' ? c : '?';
  return fail(errc::invalid_argument, std::string(row.key) + ": '" + shown +
                                          "' is no value for it: expected " + expected_form(row));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_one_of(std::string_view words, std::string_view text) {
  while (!words.empty()) {
    const size_t end = std::min(words.find('|'), words.size());
    if (words.substr(0, end) == text) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

/// How many single-character changes lead from one text to the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1] ? 1u : 0u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

result<const setting*> find_setting(std::string_view key) {
  for (const setting& row : all_settings())
    if (row.key == key) return &row;
  std::string shown;
  for (const char c : key.substr(0, 80)) shown += c >= ' ' && c <= '~' ? c : '?';
  std::string message = "there is no setting '" + shown + "'";
  const auto rows = all_settings();
  const auto nearest =
      std::min_element(rows.begin(), rows.end(), [&](const setting& a, const setting& b) {
        return distance(a.key, shown) < distance(b.key, shown);
      });
  if (distance(nearest->key, shown) <= 3)
    message += "; is '" + std::string(nearest->key) + "' meant?";
  else
    message += "; zenith config lists them";
  return fail(errc::not_found, message);
}

result<settings::value> settings::parse(const setting& row, std::string_view text) {
  switch (row.kind) {
    case value_kind::text:
      if (!is_printable(text)) return bad_value(row, text);
      return value{std::string(text), 0};
    case value_kind::word:
      if (!is_one_of(row.words, text)) return bad_value(row, text);
      return value{std::string(text), 0};
    case value_kind::flag:
      for (const char* yes : {"on", "true", "yes", "1"})
        if (same_letters(text, yes)) return value{"on", 1};
      for (const char* no : {"off", "false", "no", "0"})
        if (same_letters(text, no)) return value{"off", 0};
      return bad_value(row, text);
    case value_kind::count:
    case value_kind::size:
    case value_kind::duration:
      break;
  }
  const auto number = parse_number(row.kind, text);
  if (!number) return bad_value(row, text);
  const std::string shown = show_number(row.kind, *number);
  if (*number < row.min || *number > row.max)
    return fail(errc::out_of_range,
                std::string(row.key) + ": " + shown + " is out of bounds: allowed are " +
                    show_number(row.kind, row.min) + " to " + show_number(row.kind, row.max));
  return value{shown, *number};
}

result<void> settings::set(std::string_view key, std::string_view text) {
  ZENITH_TRY_ASSIGN(const setting* row, find_setting(key));
  ZENITH_TRY_ASSIGN(value parsed, parse(*row, text));
  values_.insert_or_assign(row->key, std::move(parsed));
  return {};
}

result<void> settings::reset(std::string_view key) {
  ZENITH_TRY_ASSIGN(const setting* row, find_setting(key));
  values_.erase(row->key);
  return {};
}

const settings::value& settings::get(std::string_view key, value_kind kind) const {
  const auto row = find_setting(key);
  ZENITH_ASSERT(row.has_value() && (*row)->kind == kind);
  if (const auto found = values_.find(key); found != values_.end()) return found->second;
  static const std::map<std::string, value, std::less<>> defaults = [] {
    std::map<std::string, value, std::less<>> all;
    for (const setting& each : all_settings()) {
      auto parsed = parse(each, each.default_text);
      ZENITH_ASSERT(parsed.has_value());
      all.emplace(each.key, std::move(*parsed));
    }
    return all;
  }();
  return defaults.find(key)->second;
}

result<std::string> settings::shown(std::string_view key) const {
  ZENITH_TRY_ASSIGN(const setting* row, find_setting(key));
  return get(key, row->kind).text;
}

const std::string& settings::text(std::string_view key) const {
  const auto row = find_setting(key);
  const bool is_word = row && (*row)->kind == value_kind::word;
  return get(key, is_word ? value_kind::word : value_kind::text).text;
}
int64_t settings::count(std::string_view key) const { return get(key, value_kind::count).number; }
uint64_t settings::size_bytes(std::string_view key) const {
  return static_cast<uint64_t>(get(key, value_kind::size).number);
}
std::chrono::milliseconds settings::duration(std::string_view key) const {
  return std::chrono::milliseconds(get(key, value_kind::duration).number);
}
bool settings::flag(std::string_view key) const { return get(key, value_kind::flag).number != 0; }

std::string settings::to_json() const {
  std::map<std::string, std::string> texts;
  for (const auto& [key, v] : values_) texts.emplace(key, v.text);
  return texts_to_json(texts);
}

result<settings> settings::from_json(std::string_view json_text) {
  ZENITH_TRY_ASSIGN(const auto texts, texts_from_json(json_text));
  settings out;
  for (const auto& [key, text] : texts) ZENITH_TRY(out.set(key, text));
  return out;
}

}  // namespace zenith::config
