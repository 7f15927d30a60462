// Where things lie in a page: what page_items.cpp and page_compact.cpp share. For their use only.
#pragma once

#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"

namespace zenith::pg::layout {

// PageHeaderData (bufpage.h), checked against PostgreSQL's own headers in page_items.cpp.
inline constexpr size_t lsn_at = 0;  // two u32: the LSN's high half, then its low half
inline constexpr size_t flags_at = 10;
inline constexpr size_t lower_at = 12;
inline constexpr size_t upper_at = 14;
inline constexpr size_t special_at = 16;
inline constexpr size_t version_at = 18;
inline constexpr size_t header_size = 24;  // the line pointers begin here
inline constexpr size_t line_pointer_size = 4;
/// No page has room for more line pointers.
inline constexpr size_t max_line_pointers = (page_size_bytes - header_size) / line_pointer_size;

inline constexpr uint8_t lp_unused = 0;
inline constexpr uint8_t lp_normal = 1;
inline constexpr uint16_t has_free_lines = 0x0001;  // PD_HAS_FREE_LINES

constexpr size_t align(size_t length) { return (length + 7) & ~size_t{7}; }
inline uint16_t load_u16(const page& p, size_t at) { return load<uint16_t>(p.begin() + at); }
inline void store_u16(page& p, size_t at, size_t value) {
  store(p.begin() + at, static_cast<uint16_t>(value));
}
inline size_t line_pointer_offset(size_t number) {
  return header_size + (number - 1) * line_pointer_size;
}

/// The caller has checked that the number is on the page.
inline line_pointer get(const page& p, size_t number) {
  const auto raw = load<uint32_t>(p.begin() + line_pointer_offset(number));
  return {static_cast<uint16_t>(raw & 0x7FFF), static_cast<uint8_t>(raw >> 15 & 3),
          static_cast<uint16_t>(raw >> 17)};
}
inline void put(page& p, size_t number, line_pointer value) {
  const uint32_t raw = (value.offset & 0x7FFFu) | (value.flags & 3u) << 15 |
                       static_cast<uint32_t>(value.length) << 17;
  store(p.begin() + line_pointer_offset(number), raw);
}
inline bool is_used(line_pointer l) { return l.flags != lp_unused; }
inline bool has_storage(line_pointer l) { return l.length != 0; }

template <class... Arguments>
tl::unexpected<error> corrupt(fmt::format_string<Arguments...> text, Arguments&&... values) {
  return fail(errc::corrupt, "page: " + fmt::format(text, std::forward<Arguments>(values)...));
}
inline tl::unexpected<error> bad_item(size_t number, line_pointer l) {
  return corrupt("line pointer {} has offset {}, flags {} and length {}", number, l.offset, l.flags,
                 l.length);
}

/// The item's bytes lie between pd_upper and the special space, at an aligned offset.
inline bool in_bounds(const page& p, line_pointer l) {
  return l.offset >= page_upper(p) && size_t{l.offset} + l.length <= page_special(p) &&
         l.offset == align(l.offset);
}

}  // namespace zenith::pg::layout
