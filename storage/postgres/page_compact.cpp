// Closing the gaps in a page: after pruning a heap page, after deleting many index items.
#include <array>

#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_layout.hpp"

namespace zenith::pg {

using namespace layout;

namespace {

// The items that stay on a page, in the order of their line pointers.
struct kept_items {
  struct item {
    uint16_t number = 0;  // the line pointer it will have
    line_pointer pointer;
  };
  std::array<item, max_line_pointers> items;
  size_t count = 0;
  size_t total_bytes = 0;  // aligned

  void add(uint16_t number, line_pointer pointer) {
    items[count++] = {number, pointer};
    total_bytes += align(pointer.length);
  }
};

// bufpage.c, compactify_tuples: the items lie one below the other from the special space down, the
// one with the lowest number highest. What is below the last one keeps its bytes. The caller has
// checked that the items lie between pd_upper and pd_special, and that their total fits there.
void compact(page& p, const kept_items& kept) {
  const page before = p;
  size_t upper = page_special(p);
  for (size_t i = 0; i < kept.count; ++i) {
    auto [number, pointer] = kept.items[i];
    const size_t length = align(pointer.length);
    upper -= length;
    if (pointer.offset != upper)
      std::memcpy(p.begin() + upper, before.begin() + pointer.offset, length);
    pointer.offset = static_cast<uint16_t>(upper);
    put(p, number, pointer);
  }
  store_u16(p, upper_at, upper);
}

// No more is kept than there is room for: items that overlap would claim more.
result<void> check_total(const page& p, const kept_items& kept) {
  const size_t room = page_special(p) - page_lower(p);
  if (kept.total_bytes > room)
    return corrupt("items of {} bytes, {} are available", kept.total_bytes, room);
  return {};
}

void set_free_lines_hint(page& p, bool any) {
  const uint16_t flags = page_flags(p) & static_cast<uint16_t>(~has_free_lines);
  set_page_flags(p, any ? flags | has_free_lines : flags);
}

}  // namespace

result<void> page_repair_fragmentation(page& p) {
  ZENITH_TRY(check_page_header(p));
  const size_t last = max_offset(p);
  kept_items kept;
  size_t unused = 0;
  size_t last_used = 0;
  for (size_t number = 1; number <= last; ++number) {
    const line_pointer l = get(p, number);
    if (!is_used(l)) {
      ++unused;
      continue;
    }
    last_used = number;
    if (!has_storage(l)) continue;
    if (l.offset < page_upper(p) || l.offset + align(l.length) > page_special(p))
      return bad_item(number, l);
    kept.add(static_cast<uint16_t>(number), l);
  }
  ZENITH_TRY(check_total(p, kept));
  for (size_t number = 1; number <= last; ++number)
    if (!is_used(get(p, number))) put(p, number, {});
  compact(p, kept);
  const size_t unused_at_the_end = last - last_used;
  store_u16(p, lower_at, page_lower(p) - unused_at_the_end * line_pointer_size);
  set_free_lines_hint(p, unused > unused_at_the_end);
  return {};
}

result<void> page_truncate_line_pointers(page& p) {
  ZENITH_TRY(check_page_header(p));
  // At least one line pointer stays, used or not: an empty page would look like a new one.
  size_t last = max_offset(p);
  size_t removed = 0;
  for (; last > 1 && !is_used(get(p, last)); --last) ++removed;
  bool any_unused = false;
  for (size_t number = 1; number <= last && !any_unused; ++number)
    any_unused = !is_used(get(p, number));
  store_u16(p, lower_at, page_lower(p) - removed * line_pointer_size);
  set_free_lines_hint(p, any_unused);
  return {};
}

result<void> page_index_multi_delete(page& p, std::span<const offset_number> numbers) {
  ZENITH_TRY(check_page_header(p));
  for (size_t i = 0; i < numbers.size(); ++i)
    if (numbers[i] == 0 || numbers[i] > max_offset(p) || (i > 0 && numbers[i] <= numbers[i - 1]))
      return corrupt("the {} items to delete of {} are not in order or not there", numbers.size(),
                     max_offset(p));
  // PostgreSQL deletes one or two items singly; only that leaves the others in their order of
  // offsets, where it is not the order of their numbers.
  if (numbers.size() <= 2) {
    for (size_t i = numbers.size(); i-- > 0;) ZENITH_TRY(page_index_tuple_delete(p, numbers[i]));
    return {};
  }
  kept_items kept;
  auto next = numbers.begin();
  for (size_t number = 1; number <= max_offset(p); ++number) {
    const line_pointer l = get(p, number);
    if (!in_bounds(p, l)) return bad_item(number, l);
    if (next != numbers.end() && *next == number)
      ++next;
    else
      kept.add(static_cast<uint16_t>(kept.count + 1), l);
  }
  ZENITH_TRY(check_total(p, kept));
  store_u16(p, lower_at, header_size + kept.count * line_pointer_size);
  compact(p, kept);
  return {};
}

}  // namespace zenith::pg
