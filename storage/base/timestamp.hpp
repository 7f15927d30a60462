// timestamp: a moment in microseconds, as PostgreSQL counts them, and its RFC 3339 text.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace zenith {

/// Microseconds since 2000-01-01 00:00:00 UTC (TimestampTz, datatype/timestamp.h).
class timestamp {
 public:
  constexpr timestamp() = default;
  explicit constexpr timestamp(int64_t microseconds) : value_(microseconds) {}

  constexpr int64_t microseconds() const { return value_; }
  constexpr auto operator<=>(const timestamp&) const = default;

  /// From and to the machine's way of counting (since 1970-01-01 00:00:00 UTC).
  static constexpr timestamp from_unix_us(int64_t microseconds) {
    return timestamp{microseconds - unix_epoch_us};
  }
  constexpr int64_t unix_us() const { return value_ + unix_epoch_us; }

 private:
  /// 2000-01-01 is 10957 days after 1970-01-01 (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE).
  static constexpr int64_t unix_epoch_us = int64_t{10957} * 86400 * 1000000;
  int64_t value_ = 0;
};

/// RFC 3339 in UTC: "2026-11-22T10:00:00Z", with a fraction of up to six digits where there is one.
/// A moment outside the years 0 to 9999 prints as "(out of range)".
std::string to_string(timestamp moment);

/// Reads RFC 3339: date, "T" or a space, time, an optional fraction, and "Z" or a zone "+01:00".
/// The zone is required. Digits of the fraction past the sixth are dropped. Error:
/// invalid_argument.
result<timestamp> parse_timestamp(std::string_view text);

}  // namespace zenith
