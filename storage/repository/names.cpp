// The rules for names.
#include "storage/repository/names.hpp"

#include <fmt/format.h>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::repository {
namespace {

constexpr size_t name_size_max = 63;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

tl::unexpected<error> bad_name(std::string_view name, std::string_view why) {
  // What a person typed may hold anything; the message stays one printable line.
  std::string shown;
  for (const char c : name.substr(0, 80)) shown += c >= ' ' && c <= '~' ? c : '?';
  return fail(errc::invalid_argument, fmt::format("'{}' cannot be a name: {}", shown, why));
}

}  // namespace

result<void> check_name(std::string_view name) {
  if (name.empty()) return bad_name(name, "it is empty");
  if (name.size() > name_size_max)
    return bad_name(name, fmt::format("it has {} characters, at most {} are allowed", name.size(),
                                      name_size_max));
  if (!is_alphanumeric(name.front())) return bad_name(name, "it must start with a letter or digit");
  for (const char c : name)
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '/' && c != '-')
      return bad_name(name, "only letters, digits and . _ / - are allowed");
  for (size_t start = 0; start <= name.size();) {
    const size_t end = std::min(name.find('/', start), name.size());
    const std::string_view part = name.substr(start, end - start);
    if (part.empty())
      return bad_name(name, end == name.size() ? "it ends with a slash" : "a part of it is empty");
    if (part == "." || part == "..") return bad_name(name, "no part of it may be . or ..");
    start = end + 1;
  }
  // LSNs are printed with upper-case digits: "a/b" is a name, "A/B" and "0/16B3748" are not.
  if (looks_like_lsn(name) && name.find_first_of("abcdef") == std::string_view::npos)
    return bad_name(name, "it looks like an LSN");
  if (looks_like_timeline_id(name)) return bad_name(name, "it looks like a timeline id");
  return {};
}

result<void> check_compute_name(std::string_view name) {
  if (name.find('/') != std::string_view::npos)
    return bad_name(name, "a compute's name has no slash");
  return check_name(name);
}

bool names_exclude(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.starts_with(a) && (a.size() == b.size() || b[a.size()] == '/');
}

}  // namespace zenith::repository
