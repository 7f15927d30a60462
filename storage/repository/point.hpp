// point: a place in history as a person writes it (NAME, NAME@LSN, NAME@TIME).
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/base/timestamp.hpp"

namespace zenith::repository {

/// Where NAME alone points: a branch's end, a tag's LSN.
struct at_end {
  bool operator==(const at_end&) const = default;
};

/// NAME is a branch, a tag or a timeline id (in lower case here); which, the repository knows.
struct point {
  std::string name;
  std::variant<at_end, lsn, timestamp> at;

  bool operator==(const point&) const = default;
};

/// Reads a point; LSN 0/0 is none. Error: invalid_argument.
result<point> parse_point(std::string_view text);

/// What parse_point reads.
std::string to_string(const point& p);

}  // namespace zenith::repository
