// object_reader: takes the fields of one JSON object, each checked and none left over.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith {

/// The first failure is kept, and later takes do nothing. Errors (corrupt) name `what` and field.
class object_reader {
 public:
  using json = nlohmann::json;

  object_reader(std::string_view text, std::string what) : what_(std::move(what)) {
    object_ = json::parse(text, nullptr, false);
    if (!object_.is_object()) complain("the text is not a JSON object");
  }
  object_reader(json object, std::string what)
      : object_(std::move(object)), what_(std::move(what)) {
    if (!object_.is_object()) complain("expected a JSON object");
  }

  /// Each field is taken once.
  json value(const char* field) {
    if (failure_) return {};
    const auto found = object_.find(field);
    if (found == object_.end()) {
      complain(fmt::format("field '{}' is missing", field));
      return {};
    }
    ++taken_;
    return std::move(*found);
  }
  bool has(const char* field) const { return object_.is_object() && object_.contains(field); }

  std::string text(const char* field) {
    const json v = value(field);
    if (v.is_string()) return v.get<std::string>();
    complain(fmt::format("field '{}' is not a text", field));
    return {};
  }
  uint64_t number(const char* field, uint64_t min, uint64_t max) {
    const json v = value(field);
    if (v.is_number_unsigned() && v.get<uint64_t>() >= min && v.get<uint64_t>() <= max)
      return v.get<uint64_t>();
    complain(fmt::format("field '{}' is not a number from {} to {}", field, min, max));
    return 0;
  }
  bool flag(const char* field) {
    const json v = value(field);
    if (v.is_boolean()) return v.get<bool>();
    complain(fmt::format("field '{}' is neither true nor false", field));
    return false;
  }
  template <class T>
  T parsed(const char* field, result<T> (*parse)(std::string_view)) {
    const std::string v = text(field);
    if (failure_) return {};
    result<T> value = parse(v);
    if (value) return *value;
    complain(fmt::format("field '{}': {}", field, value.error().message));
    return {};
  }
  lsn position(const char* field) {
    const lsn value = parsed<lsn>(field, parse_lsn);
    if (!value.is_valid()) complain(fmt::format("field '{}' is 0/0", field));
    return value;
  }
  timeline_id id(const char* field) {
    const timeline_id value = parsed<timeline_id>(field, parse_timeline_id);
    if (!value.is_valid()) complain(fmt::format("field '{}' is zero", field));
    return value;
  }
  /// One of a list of words; gives its index.
  size_t word(const char* field, std::initializer_list<const char*> words) {
    const std::string v = text(field);
    size_t index = 0;
    for (const char* w : words) {
      if (v == w) return index;
      ++index;
    }
    complain(fmt::format("field '{}' has the unknown value '{}'", field, v));
    return 0;
  }

  void complain(std::string message) {
    if (!failure_) failure_ = error{errc::corrupt, fmt::format("{}: {}", what_, message)};
  }
  /// Nothing failed and nothing was left over.
  template <class T>
  result<T> finish(T value) {
    if (!failure_ && taken_ != object_.size()) complain("it has fields that are not known");
    if (failure_) return tl::unexpected<error>(*failure_);
    return value;
  }
  bool failed() const { return failure_.has_value(); }
  const error& failure() const { return *failure_; }

 private:
  json object_;
  std::string what_;
  size_t taken_ = 0;
  std::optional<error> failure_;
};

}  // namespace zenith
