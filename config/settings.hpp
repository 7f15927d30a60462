// settings: every knob of a node, with its unit, default, bounds and meaning.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace zenith::config {

/// What a setting's value is, and so how its text is written.
enum class value_kind : uint8_t {
  text,      ///< anything printable
  count,     ///< "100"
  size,      ///< bytes: "64MB"; units B, kB, MB, GB, TB, each 1024 of the one before
  duration,  ///< "10s"; units ms, s, min, h, d; held in milliseconds
  flag,      ///< "on" or "off"
  word,      ///< one of a list
};

/// One row of the table.
struct setting {
  const char* key;
  value_kind kind;
  /// As `zenith config` prints it; parsing it is tested.
  const char* default_text;
  /// Bounds of a count, a size in bytes or a duration in milliseconds, both included.
  int64_t min;
  int64_t max;
  /// For a word: what is allowed, separated by "|".
  const char* words;
  const char* description;
};

/// The whole table, sorted by key.
std::span<const setting> all_settings();
/// Its row. Error: not_found, with the keys that look similar.
result<const setting*> find_setting(std::string_view key);

/// The values in force: those that were set, and the defaults of all others.
class settings {
 public:
  /// Sets one from its text. Errors: not_found (no such key), invalid_argument (says what is
  /// expected), out_of_range (says the bounds).
  result<void> set(std::string_view key, std::string_view text);
  /// Goes back to the default. Error: not_found.
  result<void> reset(std::string_view key);

  /// The value as text, in its shortest exact form ("64MB"). Error: not_found.
  result<std::string> shown(std::string_view key) const;
  bool is_default(std::string_view key) const { return !values_.contains(std::string(key)); }

  /// Typed reading. The key is in the table and of that kind: anything else is our own bug.
  const std::string& text(std::string_view key) const;
  int64_t count(std::string_view key) const;
  uint64_t size_bytes(std::string_view key) const;
  std::chrono::milliseconds duration(std::string_view key) const;
  bool flag(std::string_view key) const;

  /// {"key": "text", ...} of those that were set.
  std::string to_json() const;
  /// Takes what to_json gives. Errors: corrupt (no such JSON), and those of set: an unknown key or
  /// a value that no longer fits is refused, not ignored.
  static result<settings> from_json(std::string_view json_text);

  bool operator==(const settings&) const = default;

 private:
  struct value {
    std::string text;
    int64_t number = 0;
    bool operator==(const value&) const = default;
  };
  static result<value> parse(const setting& row, std::string_view text);
  const value& get(std::string_view key, value_kind kind) const;

  std::map<std::string, value, std::less<>> values_;
};

}  // namespace zenith::config
