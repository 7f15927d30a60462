// Timestamps as RFC 3339 text.
#include "storage/base/timestamp.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace zenith {
namespace {

constexpr int64_t second_us = 1000000;
constexpr int64_t day_us = 86400 * second_us;

/// Takes characters from the front of a text; a failure is remembered.
struct scanner {
  std::string_view rest;
  bool good = true;

  int digits(size_t count) {
    int value = 0;
    if (rest.size() < count) return fail_here();
    for (size_t i = 0; i < count; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return fail_here();
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  bool accept(std::string_view one_of) {
    if (rest.empty() || one_of.find(rest.front()) == std::string_view::npos) return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(std::string_view one_of) {
    if (!accept(one_of)) good = false;
  }
  int fail_here() {
    good = false;
    return 0;
  }
};

/// The digits after the point, as microseconds.
int64_t scan_fraction(scanner& in) {
  int64_t value = 0;
  int64_t weight = second_us / 10;
  if (in.rest.empty() || in.rest.front() < '0' || in.rest.front() > '9') in.good = false;
  while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9') {
    value += (in.rest.front() - '0') * weight;
    weight /= 10;
    in.rest.remove_prefix(1);
  }
  return value;
}

/// "Z" or "+hh:mm", as microseconds east of UTC.
int64_t scan_zone(scanner& in) {
  if (in.accept("Zz")) return 0;
  const bool west = !in.rest.empty() && in.rest.front() == '-';
  in.expect("+-");
  const int hours = in.digits(2);
  in.expect(":");
  const int minutes = in.digits(2);
  if (hours > 23 || minutes > 59) in.good = false;
  const int64_t offset_us = (int64_t{hours} * 60 + minutes) * 60 * second_us;
  return west ? -offset_us : offset_us;
}

std::optional<timestamp> scan_timestamp(std::string_view text) {
  scanner in{text};
  const int year = in.digits(4);
  in.expect("-");
  const int month = in.digits(2);
  in.expect("-");
  const int day = in.digits(2);
  in.expect("Tt ");
  const int hour = in.digits(2);
  in.expect(":");
  const int minute = in.digits(2);
  in.expect(":");
  const int second = in.digits(2);
  const int64_t fraction_us = in.accept(".") ? scan_fraction(in) : 0;
  const int64_t zone_us = scan_zone(in);
  // A leap second counts as the second after it, as PostgreSQL takes it (DecodeTimeOnly).
  if (!in.good || !in.rest.empty() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const int64_t time_us = ((int64_t{hour} * 60 + minute) * 60 + second) * second_us + fraction_us;
  return timestamp::from_unix_us(days * day_us + time_us - zone_us);
}

}  // namespace

std::string to_string(timestamp moment) {
  // The years 0 to 9999, counted from 2000-01-01.
  if (moment.microseconds() < -730485 * day_us || moment.microseconds() >= 2922028 * day_us)
    return "(out of range)";
  const int64_t unix_us = moment.unix_us();
  int64_t days = unix_us / day_us;
  int64_t rest_us = unix_us % day_us;
  if (rest_us < 0) {
    rest_us += day_us;
    --days;
  }
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(days)}}};
  const int64_t seconds = rest_us / second_us;
  std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (rest_us % second_us != 0) {
    text += fmt::format(".{:06}", rest_us % second_us);
    while (text.back() == '0') text.pop_back();
  }
  return text + "Z";
}

result<timestamp> parse_timestamp(std::string_view text) {
  const auto moment = scan_timestamp(text);
  if (!moment)
    return fail(errc::invalid_argument,
                fmt::format("'{}' is not a time: expected the form 2026-11-22T10:00:00Z or "
                            "2026-11-22T10:00:00.5+01:00, with its zone",
                            text));
  return *moment;
}

}  // namespace zenith
