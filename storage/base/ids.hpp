// Identifiers: a timeline's 128-bit id, and PostgreSQL's own numbers as types of their own.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/result.hpp"

namespace zenith {

/// One line of history: 128 bits, printed as 32 lower-case hex digits. All zero is "none".
struct timeline_id {
  std::array<uint8_t, 16> value{};

  auto operator<=>(const timeline_id&) const = default;
  bool is_valid() const { return *this != timeline_id{}; }

  /// A new random id (getrandom).
  static timeline_id random();
};

std::string to_string(const timeline_id& id);
/// Takes exactly 32 hex digits. Error: invalid_argument.
result<timeline_id> parse_timeline_id(std::string_view text);
/// Whether a text has an id's form (names may not).
bool looks_like_timeline_id(std::string_view text);

/// PostgreSQL's own 32-bit timeline number (TimeLineID), always called pg_timeline here.
enum class pg_timeline : uint32_t {};
/// Identifies the cluster that initdb made (ControlFileData.system_identifier).
enum class system_identifier : uint64_t {};

/// "7412345678901234567", as pg_controldata prints it.
std::string to_string(system_identifier id);

}  // namespace zenith

template <>
struct std::hash<zenith::timeline_id> {
  size_t operator()(const zenith::timeline_id& id) const {
    uint64_t low = 0;
    for (int i = 0; i < 8; ++i) low = (low << 8) | id.value[static_cast<size_t>(i)];
    return std::hash<uint64_t>{}(low);
  }
};
