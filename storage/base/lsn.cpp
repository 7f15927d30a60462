// LSNs as text.
#include "storage/base/lsn.hpp"

#include <charconv>
#include <cstdio>

namespace zenith {
namespace {

bool parse_half(std::string_view digits, uint32_t& value) {
  if (digits.empty() || digits.size() > 8) return false;
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return failure == std::errc{} && end == digits.data() + digits.size();
}

bool parse_halves(std::string_view text, uint32_t& high, uint32_t& low) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && parse_half(text.substr(0, slash), high) &&
         parse_half(text.substr(slash + 1), low);
}

}  // namespace

std::string to_string(lsn position) {
  char text[32];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position.value() >> 32),
                static_cast<unsigned>(position.value()));
  return text;
}

result<lsn> parse_lsn(std::string_view text) {
  uint32_t high = 0;
  uint32_t low = 0;
  if (!parse_halves(text, high, low))
    return fail(errc::invalid_argument,
                "'" + std::string(text) + "' is not an LSN: expected the form 16/B374D848");
  return lsn{(uint64_t{high} << 32) | low};
}

bool looks_like_lsn(std::string_view text) {
  uint32_t high = 0;
  uint32_t low = 0;
  return parse_halves(text, high, low);
}

}  // namespace zenith
