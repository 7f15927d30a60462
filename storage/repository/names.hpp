// names: what branches, tags and computes may be called.
#pragma once

#include <string_view>

#include "storage/base/result.hpp"

namespace zenith::repository {

/// A branch's or tag's name: [A-Za-z0-9][A-Za-z0-9._/-]{0,62}, with no empty, "." or ".." part
/// between slashes and no slash at the end, and not like an LSN as it is printed (in upper case) or
/// a timeline id, which would make a point ambiguous. The error (invalid_argument) says which rule
/// is broken.
result<void> check_name(std::string_view name);

/// A compute's name: the same, with no slash.
result<void> check_compute_name(std::string_view name);

/// Whether one name is the other, or a folder of it ("a" and "a/b"): both cannot exist.
bool names_exclude(std::string_view a, std::string_view b);

}  // namespace zenith::repository
