// LSN: a byte position in the WAL, printed as PostgreSQL prints it (16/B374D848).
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace zenith {

/// A byte position in the WAL (XLogRecPtr). Zero is "no position": PostgreSQL never uses it.
class lsn {
 public:
  constexpr lsn() = default;
  explicit constexpr lsn(uint64_t position) : value_(position) {}

  constexpr uint64_t value() const { return value_; }
  constexpr bool is_valid() const { return value_ != 0; }
  constexpr auto operator<=>(const lsn&) const = default;

  constexpr lsn operator+(uint64_t distance_bytes) const { return lsn{value_ + distance_bytes}; }
  constexpr lsn operator-(uint64_t distance_bytes) const { return lsn{value_ - distance_bytes}; }
  /// How many bytes of WAL lie between; the left side must not be the smaller one.
  constexpr uint64_t operator-(lsn other) const { return value_ - other.value_; }

  /// The next multiple of 8 at or after this position (MAXALIGN): where a record can start.
  constexpr lsn aligned() const { return lsn{(value_ + 7) & ~uint64_t{7}}; }

  static constexpr lsn max() { return lsn{UINT64_MAX}; }

 private:
  uint64_t value_ = 0;
};

/// "16/B374D848": two hexadecimal halves, upper case, no leading zeros.
std::string to_string(lsn position);

/// Takes what to_string gives, in either case, each half 1 to 8 digits. Error: invalid_argument.
result<lsn> parse_lsn(std::string_view text);

/// Whether a text has an LSN's form (names may not).
bool looks_like_lsn(std::string_view text);

}  // namespace zenith

template <>
struct std::hash<zenith::lsn> {
  size_t operator()(zenith::lsn position) const { return std::hash<uint64_t>{}(position.value()); }
};
