// A page's header, its line pointers, and adding, replacing and deleting one item.
#include "storage/postgres/page_items.hpp"

#include "storage/base/assert.hpp"
#include "storage/postgres/page_layout.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/htup_details.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {

using namespace layout;

static_assert(offsetof(PageHeaderData, pd_lsn) == lsn_at);
static_assert(offsetof(PageHeaderData, pd_flags) == flags_at);
static_assert(offsetof(PageHeaderData, pd_lower) == lower_at);
static_assert(offsetof(PageHeaderData, pd_upper) == upper_at);
static_assert(offsetof(PageHeaderData, pd_special) == special_at);
static_assert(offsetof(PageHeaderData, pd_pagesize_version) == version_at);
static_assert(SizeOfPageHeaderData == header_size);
static_assert(sizeof(ItemIdData) == line_pointer_size);
static_assert(PD_HAS_FREE_LINES == has_free_lines);
static_assert(LP_UNUSED == lp_unused && LP_NORMAL == lp_normal);
static_assert(BLCKSZ == page_size_bytes);

lsn page_lsn(const page& p) {
  const auto high = load<uint32_t>(p.begin() + lsn_at);
  const auto low = load<uint32_t>(p.begin() + lsn_at + 4);
  return lsn{uint64_t{high} << 32 | low};
}
void set_page_lsn(page& p, lsn at) {
  store(p.begin() + lsn_at, static_cast<uint32_t>(at.value() >> 32));
  store(p.begin() + lsn_at + 4, static_cast<uint32_t>(at.value()));
}
bool page_is_new(const page& p) { return page_upper(p) == 0; }
uint16_t page_lower(const page& p) { return load_u16(p, lower_at); }
uint16_t page_upper(const page& p) { return load_u16(p, upper_at); }
uint16_t page_special(const page& p) { return load_u16(p, special_at); }
uint16_t page_flags(const page& p) { return load_u16(p, flags_at); }
void set_page_flags(page& p, uint16_t flags) { store_u16(p, flags_at, flags); }

result<void> check_page_header(const page& p) {
  const uint16_t lower = page_lower(p), upper = page_upper(p), special = page_special(p);
  if (lower < header_size || lower > upper || upper > special || special > page_size_bytes ||
      special != align(special))
    return corrupt("corrupted page pointers: lower {}, upper {}, special {}", lower, upper,
                   special);
  return {};
}

void page_init(page& p, uint16_t special_size_bytes) {
  const size_t special = align(special_size_bytes);
  ZENITH_ASSERT(special + header_size <= page_size_bytes);
  p.data.fill(std::byte{0});
  store_u16(p, lower_at, header_size);
  store_u16(p, upper_at, page_size_bytes - special);
  store_u16(p, special_at, page_size_bytes - special);
  store_u16(p, version_at, page_size_bytes | PG_PAGE_LAYOUT_VERSION);
}

offset_number max_offset(const page& p) {
  const size_t lower = std::min<size_t>(page_lower(p), page_size_bytes);
  if (lower <= header_size) return 0;
  return static_cast<offset_number>((lower - header_size) / line_pointer_size);
}

result<line_pointer> line_pointer_at(const page& p, offset_number number) {
  if (number == 0 || number > max_offset(p))
    return corrupt("there is no item {}, the last one is {}", number, max_offset(p));
  return get(p, number);
}

result<void> set_line_pointer(page& p, offset_number number, line_pointer value) {
  ZENITH_TRY(line_pointer_at(p, number));
  put(p, number, value);
  return {};
}

result<byte_view> item_at(const page& p, offset_number number) {
  ZENITH_TRY_ASSIGN(const line_pointer l, line_pointer_at(p, number));
  const size_t end = std::min<size_t>(page_special(p), page_size_bytes);
  if ((l.flags != LP_NORMAL && l.flags != LP_DEAD) || !has_storage(l) || l.offset < page_lower(p) ||
      size_t{l.offset} + l.length > end)
    return bad_item(number, l);
  return p.view().subspan(l.offset, l.length);
}

result<byte_span> item_at(page& p, offset_number number) {
  ZENITH_TRY_ASSIGN(const byte_view item, item_at(std::as_const(p), number));
  return p.span().subspan(static_cast<size_t>(item.data() - p.begin()), item.size());
}

result<byte_span> special_space(page& p) {
  const size_t special = page_special(p);
  if (special < header_size || special > page_size_bytes)
    return corrupt("the special space starts at {}", special);
  return p.span().subspan(special);
}

// Where PageAddItemExtended puts an item for which no offset number was given. `limit`: one past
// the last line pointer.
static size_t find_free_line_pointer(page& p, size_t limit) {
  if ((page_flags(p) & has_free_lines) == 0) return limit;
  for (size_t number = 1; number < limit; ++number) {
    const line_pointer l = get(p, number);
    if (!is_used(l) && !has_storage(l)) return number;
  }
  set_page_flags(p, page_flags(p) & static_cast<uint16_t>(~has_free_lines));
  return limit;
}

result<offset_number> page_add_item(page& p, byte_view item, offset_number number,
                                    add_item_mode mode, bool heap) {
  ZENITH_TRY(check_page_header(p));
  const size_t limit = size_t{max_offset(p)} + 1;
  size_t at = number;
  bool shuffle = false;
  if (number == 0) {
    at = find_free_line_pointer(p, limit);
  } else if (mode == add_item_mode::insert) {
    shuffle = at < limit;
  } else if (at < limit) {
    if (const line_pointer l = get(p, at); is_used(l) || has_storage(l))
      return corrupt("item {} is in use, and would be overwritten", at);
  }
  if (at > limit) return corrupt("item {} would be added, the last one is {}", at, limit - 1);
  if (heap && at > MaxHeapTuplesPerPage)
    return corrupt("item {} would be added, a heap page has at most {}", at, MaxHeapTuplesPerPage);

  const size_t lower = page_lower(p) + (at == limit || shuffle ? line_pointer_size : 0);
  const size_t room = page_upper(p) - std::min<size_t>(lower, page_upper(p));
  if (lower > page_upper(p) || align(item.size()) > room)
    return corrupt("no room for an item of {} bytes: lower {}, upper {}", item.size(),
                   page_lower(p), page_upper(p));
  const size_t upper = page_upper(p) - align(item.size());
  if (shuffle)
    std::memmove(p.begin() + line_pointer_offset(at + 1), p.begin() + line_pointer_offset(at),
                 (limit - at) * line_pointer_size);
  put(p, at, {static_cast<uint16_t>(upper), LP_NORMAL, static_cast<uint16_t>(item.size())});
  if (!item.empty()) std::memcpy(p.begin() + upper, item.data(), item.size());
  store_u16(p, lower_at, lower);
  store_u16(p, upper_at, upper);
  return static_cast<offset_number>(at);
}

// Moves the items that lie before this offset by so many bytes, towards the page's end where that
// is positive, and has their line pointers follow. `every`: those without storage follow too.
static void shift_items(page& p, size_t before, ptrdiff_t by_bytes, bool every) {
  const size_t upper = page_upper(p);
  std::byte* items = p.begin() + upper;
  std::memmove(items + by_bytes, items, before - upper);
  store_u16(p, upper_at, static_cast<size_t>(static_cast<ptrdiff_t>(upper) + by_bytes));
  // On raw line pointers, with no branch: a page has hundreds of them, in no order.
  constexpr uint32_t offset_mask = 0x7FFF;
  constexpr uint32_t length_shift = 17;
  const size_t last = max_offset(p);
  for (size_t number = 1; number <= last; ++number) {
    std::byte* const at = p.begin() + line_pointer_offset(number);
    const auto raw = load<uint32_t>(at);
    const bool follows = (every | (raw >> length_shift != 0)) &
                         ((raw & offset_mask) <= static_cast<uint32_t>(before));
    const uint32_t moved = raw + (follows ? static_cast<uint32_t>(by_bytes) : 0);
    store(at, (raw & ~offset_mask) | (moved & offset_mask));
  }
}

// The line pointer of an index item that may be deleted or replaced.
static result<line_pointer> index_item(const page& p, offset_number number) {
  ZENITH_TRY(check_page_header(p));
  ZENITH_TRY_ASSIGN(const line_pointer l, line_pointer_at(p, number));
  if (!has_storage(l) || !in_bounds(p, l)) return bad_item(number, l);
  return l;
}

result<void> page_index_tuple_delete(page& p, offset_number number) {
  ZENITH_TRY_ASSIGN(const line_pointer l, index_item(p, number));
  const size_t at = line_pointer_offset(number);
  std::memmove(p.begin() + at, p.begin() + at + line_pointer_size,
               page_lower(p) - at - line_pointer_size);
  store_u16(p, lower_at, page_lower(p) - line_pointer_size);
  shift_items(p, l.offset, static_cast<ptrdiff_t>(align(l.length)), true);
  return {};
}

result<void> page_index_tuple_delete_no_compact(page& p, offset_number number) {
  ZENITH_TRY_ASSIGN(const line_pointer l, index_item(p, number));
  if (number < max_offset(p))
    put(p, number, {});
  else
    store_u16(p, lower_at, page_lower(p) - line_pointer_size);
  shift_items(p, l.offset, static_cast<ptrdiff_t>(align(l.length)), false);
  return {};
}

result<void> page_index_tuple_overwrite(page& p, offset_number number, byte_view item) {
  ZENITH_TRY_ASSIGN(line_pointer l, index_item(p, number));
  const size_t old_size = align(l.length);
  const size_t new_size = align(item.size());
  if (new_size > old_size + (page_upper(p) - page_lower(p)))
    return corrupt("no room for item {} to grow from {} to {} bytes: lower {}, upper {}", number,
                   l.length, item.size(), page_lower(p), page_upper(p));
  const ptrdiff_t by_bytes = static_cast<ptrdiff_t>(old_size) - static_cast<ptrdiff_t>(new_size);
  if (by_bytes != 0) shift_items(p, l.offset, by_bytes, false);
  l.offset = static_cast<uint16_t>(l.offset + by_bytes);
  l.length = static_cast<uint16_t>(item.size());
  put(p, number, l);
  if (!item.empty()) std::memcpy(p.begin() + l.offset, item.data(), item.size());
  return {};
}

}  // namespace zenith::pg
