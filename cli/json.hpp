// json: one JSON value as text, built from the inside out, its fields in the order given.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zenith::cli {

/// A value that knows only its own text.
class json {
 public:
  json(std::nullptr_t) : text_("null") {}
  json(bool value) : text_(value ? "true" : "false") {}
  template <class Number>
  requires(std::integral<Number> && !std::same_as<Number, bool>) json(Number value)
      : text_(std::to_string(value)) {}
  /// Bytes that are no UTF-8 become U+FFFD.
  json(std::string_view value);
  json(const std::string& value) : json(std::string_view(value)) {}
  json(const char* value) : json(std::string_view(value)) {}

  using field = std::pair<const char*, json>;
  static json object(std::initializer_list<field> fields);
  static json array(const std::vector<json>& elements);

  const std::string& text() const { return text_; }

 private:
  struct as_is {};
  json(as_is, std::string text) : text_(std::move(text)) {}

  std::string text_;
};

/// The text, or null for an empty one.
json text_or_null(std::string_view text);

}  // namespace zenith::cli
