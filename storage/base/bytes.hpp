// Byte buffers and views, little- and big-endian integers in them, and CRC-32C.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace zenith {

using bytes = std::vector<std::byte>;
using byte_view = std::span<const std::byte>;
using byte_span = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little,
              "PostgreSQL's files are read in place; only little-endian machines are supported");

/// The bytes of a text.
inline byte_view as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
/// A text that shows the same bytes; valid as long as they are.
inline std::string_view as_text(byte_view view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

/// Reads a trivially copyable value at any alignment. The caller has checked the bounds.
template <class T>
T load(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
/// Writes a trivially copyable value at any alignment. The caller has checked the bounds.
template <class T>
void store(void* to, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

template <class Integer>
Integer load_big_endian(const void* from) {
  auto value = load<std::make_unsigned_t<Integer>>(from);
  if constexpr (sizeof(Integer) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(Integer) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(Integer) == 8) value = __builtin_bswap64(value);
  return static_cast<Integer>(value);
}
template <class Integer>
void store_big_endian(void* to, Integer value) {
  auto raw = static_cast<std::make_unsigned_t<Integer>>(value);
  if constexpr (sizeof(Integer) == 2) raw = __builtin_bswap16(raw);
  if constexpr (sizeof(Integer) == 4) raw = __builtin_bswap32(raw);
  if constexpr (sizeof(Integer) == 8) raw = __builtin_bswap64(raw);
  store(to, raw);
}

/// CRC-32C (Castagnoli) as PostgreSQL computes it, initial value and final inversion included.
uint32_t crc32c(byte_view data);

/// The same over several pieces: start with crc32c_start, feed, then crc32c_finish.
inline constexpr uint32_t crc32c_start = 0xFFFFFFFFu;
uint32_t crc32c_feed(uint32_t state, byte_view data);
inline uint32_t crc32c_finish(uint32_t state) { return state ^ 0xFFFFFFFFu; }

/// PostgreSQL's block size (BLCKSZ, and XLOG_BLCKSZ for WAL pages), the only one supported.
inline constexpr size_t page_size_bytes = 8192;

/// One page. Aligned, so that PostgreSQL's structures can be laid over it.
struct alignas(8) page {
  std::array<std::byte, page_size_bytes> data{};

  std::byte* begin() { return data.data(); }
  const std::byte* begin() const { return data.data(); }
  byte_span span() { return data; }
  byte_view view() const { return data; }
};

}  // namespace zenith
