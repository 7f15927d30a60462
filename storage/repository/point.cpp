// Points as text.
#include "storage/repository/point.hpp"

#include <fmt/format.h>

#include "storage/base/ids.hpp"
#include "storage/repository/names.hpp"

namespace zenith::repository {

result<point> parse_point(std::string_view text) {
  const size_t sign = text.find('@');
  const std::string_view name = text.substr(0, sign);
  point p;
  if (looks_like_timeline_id(name)) {
    ZENITH_TRY_ASSIGN(const timeline_id id, parse_timeline_id(name));
    p.name = zenith::to_string(id);
  } else {
    ZENITH_TRY(check_name(name));
    p.name = name;
  }
  if (sign == std::string_view::npos) return p;
  const std::string_view where = text.substr(sign + 1);
  if (looks_like_lsn(where)) {
    ZENITH_TRY_ASSIGN(const lsn position, parse_lsn(where));
    if (!position.is_valid())
      return fail(errc::invalid_argument,
                  fmt::format("'{}' is not a point: LSN 0/0 is no position", text));
    p.at = position;
    return p;
  }
  const auto moment = parse_timestamp(where);
  if (!moment)
    return fail(errc::invalid_argument,
                fmt::format("'{}' is neither an LSN nor a time: expected the form 16/B374D848 or "
                            "2026-11-22T10:00:00Z after the @",
                            where));
  p.at = *moment;
  return p;
}

std::string to_string(const point& p) {
  if (const auto* position = std::get_if<lsn>(&p.at))
    return p.name + "@" + zenith::to_string(*position);
  if (const auto* moment = std::get_if<timestamp>(&p.at))
    return p.name + "@" + zenith::to_string(*moment);
  return p.name;
}

}  // namespace zenith::repository
