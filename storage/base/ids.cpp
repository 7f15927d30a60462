// Identifiers as text, and new ones.
#include "storage/base/ids.hpp"

#include <sys/random.h>

#include "storage/base/assert.hpp"

namespace zenith {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

timeline_id timeline_id::random() {
  timeline_id id;
  const ssize_t got = getrandom(id.value.data(), id.value.size(), 0);
  ZENITH_ASSERT(got == static_cast<ssize_t>(id.value.size()));
  return id;
}

std::string to_string(const timeline_id& id) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : id.value) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

bool looks_like_timeline_id(std::string_view text) {
  if (text.size() != 32) return false;
  for (const char c : text)
    if (hex_digit(c) < 0) return false;
  return true;
}

result<timeline_id> parse_timeline_id(std::string_view text) {
  if (!looks_like_timeline_id(text))
    return fail(errc::invalid_argument,
                "'" + std::string(text) + "' is not a timeline id: expected 32 hex digits");
  timeline_id id;
  for (size_t i = 0; i < id.value.size(); ++i)
    id.value[i] = static_cast<uint8_t>((hex_digit(text[2 * i]) << 4) | hex_digit(text[2 * i + 1]));
  return id;
}

std::string to_string(system_identifier id) { return std::to_string(static_cast<uint64_t>(id)); }

}  // namespace zenith
