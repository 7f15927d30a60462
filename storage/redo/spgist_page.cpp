// The pages and tuples of SP-GiST indexes, as redo changes them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/spgist_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/itup.h>
#include <access/spgist_private.h>
#include <access/spgxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::spgist {

static_assert(sizeof(page_state) == sizeof(SpGistPageOpaqueData));
static_assert(offsetof(page_state, placeholders) == offsetof(SpGistPageOpaqueData, nPlaceholder));

namespace {

constexpr size_t leaf_info_at = offsetof(SpGistLeafTupleData, t_info);
constexpr size_t inner_size_at = offsetof(SpGistInnerTupleData, size);
constexpr size_t node_info_at = offsetof(IndexTupleData, t_info);
constexpr size_t dead_pointer_at = offsetof(SpGistDeadTupleData, pointer);
constexpr uint16_t next_offset_mask = 0x3FFF;  // SGLT_SET_NEXTOFFSET

ItemPointerData item_pointer(tuple_place place) {
  return {{static_cast<uint16_t>(place.block >> 16), static_cast<uint16_t>(place.block & 0xFFFF)},
          place.offset};
}

tuple_state state_of_tuple(byte_view tuple) {
  return static_cast<tuple_state>(std::to_integer<uint8_t>(tuple[0]) & 3);
}

/// spgFormDeadTuple (spgutils.c).
std::array<std::byte, SGDTSIZE> dead_tuple(tuple_state state, tuple_place target, uint32_t xid) {
  std::array<std::byte, SGDTSIZE> tuple{};
  const bool redirects = state == tuple_state::redirect;
  // The two lowest bits are the state, the others the size.
  store(tuple.data(), static_cast<uint32_t>(SGDTSIZE << 2 | static_cast<uint32_t>(state)));
  store(tuple.data() + dead_pointer_at,
        item_pointer(redirects ? target : tuple_place{InvalidBlockNumber, InvalidOffsetNumber}));
  store(tuple.data() + offsetof(SpGistDeadTupleData, xid), redirects ? xid : uint32_t{0});
  return tuple;
}

result<void> add(page& p, byte_view tuple, uint16_t offset) {
  if (offset == 0) return fail(errc::corrupt, "a tuple's offset number is 0");
  ZENITH_TRY(pg::page_add_item(p, tuple, offset, pg::add_item_mode::insert, false));
  return {};
}

result<void> add_dead(page& p, uint16_t offset, tuple_state state, tuple_place target,
                      uint32_t xid) {
  ZENITH_TRY(add(p, dead_tuple(state, target, xid), offset));
  ZENITH_TRY_ASSIGN(auto* const counts, state_of(p));
  if (state == tuple_state::redirect) ++counts->redirections;
  if (state == tuple_state::placeholder) ++counts->placeholders;
  return {};
}

/// A tuple with at least so many bytes.
result<byte_span> tuple_at(page& p, uint16_t offset, size_t size_bytes) {
  ZENITH_TRY_ASSIGN(const auto tuple, pg::item_at(p, offset));
  if (tuple.size() < size_bytes)
    return fail(errc::corrupt, fmt::format("the tuple of line pointer {} has {} bytes, fewer than "
                                           "{}",
                                           offset, tuple.size(), size_bytes));
  return tuple;
}

/// Offset numbers out of a record, in order.
struct sorted_numbers {
  std::array<pg::offset_number, page_size_bytes / sizeof(ItemIdData)> numbers;
  size_t count = 0;
  std::span<const pg::offset_number> view() const { return {numbers.data(), count}; }
};
result<void> sort_numbers(byte_view raw, sorted_numbers& into) {
  into.count = raw.size() / sizeof(pg::offset_number);
  if (into.count > into.numbers.size())
    return fail(errc::corrupt, fmt::format("the record lists {} items of one page", into.count));
  if (into.count == 0) return {};
  std::memcpy(into.numbers.data(), raw.data(), into.count * sizeof(pg::offset_number));
  std::sort(into.numbers.begin(), into.numbers.begin() + static_cast<ptrdiff_t>(into.count));
  return {};
}

result<void> make_placeholder(page& p, uint16_t offset) {
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, offset, SGDTSIZE));
  if (state_of_tuple(tuple) != tuple_state::redirect)
    return fail(errc::corrupt, fmt::format("the tuple of line pointer {} is no redirection, but "
                                           "the record makes it a placeholder",
                                           offset));
  tuple[0] |= static_cast<std::byte>(tuple_state::placeholder);
  store(tuple.data() + dead_pointer_at, item_pointer({InvalidBlockNumber, InvalidOffsetNumber}));
  return {};
}

}  // namespace

result<page_state*> state_of(page& p) {
  ZENITH_TRY(pg::check_page_header(p));
  ZENITH_TRY_ASSIGN(const auto special, pg::special_space(p));
  if (special.size() < sizeof(page_state))
    return fail(errc::corrupt, fmt::format("the page has a special space of {} bytes, not of an "
                                           "SP-GiST page's {}",
                                           special.size(), sizeof(page_state)));
  return reinterpret_cast<page_state*>(special.data());
}

void init_page(page& p, uint16_t flags) {
  pg::page_init(p, sizeof(page_state));
  store(p.begin() + page_size_bytes - sizeof(page_state), page_state{flags, 0, 0, SPGIST_PAGE_ID});
}

result<byte_view> take_leaf(record_reader& data) {
  ZENITH_TRY_ASSIGN(const auto header, read_front<uint32_t>(data.rest(), "a leaf tuple"));
  if (header >> 2 < sizeof(SpGistLeafTupleData))
    return fail(errc::corrupt, fmt::format("a leaf tuple has {} bytes", header >> 2));
  return data.take(header >> 2);
}

result<byte_view> take_inner(record_reader& data) {
  ZENITH_TRY_ASSIGN(const auto header, read_front<uint64_t>(data.rest(), "an inner tuple"));
  const auto size = static_cast<uint16_t>(header >> (inner_size_at * 8));
  if (size < SGITHDRSZ)
    return fail(errc::corrupt, fmt::format("an inner tuple has {} bytes", size));
  return data.take(size);
}

result<void> add_or_replace(page& p, byte_view tuple, uint16_t offset) {
  if (offset > pg::max_offset(p)) return add(p, tuple, offset);
  ZENITH_TRY_ASSIGN(const auto replaced, tuple_at(p, offset, SGDTSIZE));
  ZENITH_TRY_ASSIGN(auto* const counts, state_of(p));
  if (state_of_tuple(replaced) != tuple_state::placeholder || counts->placeholders == 0)
    return fail(errc::corrupt, fmt::format("the tuple of line pointer {} is no placeholder, but "
                                           "the record replaces it",
                                           offset));
  --counts->placeholders;
  return replace(p, tuple, offset);
}

result<void> replace(page& p, byte_view tuple, uint16_t offset) {
  ZENITH_TRY(pg::page_index_tuple_delete(p, offset));
  return add(p, tuple, offset);
}

result<void> retire(page& p, uint16_t offset, tuple_state state, tuple_place target, uint32_t xid) {
  ZENITH_TRY(pg::page_index_tuple_delete(p, offset));
  return add_dead(p, offset, state, target, xid);
}

result<void> delete_tuples(page& p, byte_view numbers, const replacement& by) {
  sorted_numbers sorted;
  ZENITH_TRY(sort_numbers(numbers, sorted));
  if (sorted.count == 0) return {};
  const auto first = load<pg::offset_number>(numbers.data());
  ZENITH_TRY(pg::page_index_multi_delete(p, sorted.view()));
  for (const auto number : sorted.view())
    ZENITH_TRY(add_dead(p, number, number == first ? by.first : by.others, by.target, by.xid));
  return {};
}

result<void> set_downlink(page& p, uint16_t offset, uint16_t node, tuple_place target) {
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, offset, SGITHDRSZ));
  // tupstate: 2 bits, allTheSame: 1, nNodes: 13, prefixSize: 16.
  const auto header = load<uint32_t>(tuple.data());
  const uint32_t nodes = header >> 3 & SGITMAXNNODES;
  size_t at = SGITHDRSZ + (header >> 16);
  for (uint32_t i = 0; i < nodes && at + sizeof(IndexTupleData) <= tuple.size(); ++i) {
    if (i == node) {
      store(tuple.data() + at, item_pointer(target));
      return {};
    }
    at += load<uint16_t>(tuple.data() + at + node_info_at) & INDEX_SIZE_MASK;
  }
  return fail(errc::corrupt, fmt::format("the inner tuple of line pointer {} has no node {}: it "
                                         "has {} in {} bytes",
                                         offset, node, nodes, tuple.size()));
}

result<void> set_next(page& p, uint16_t offset, uint16_t next) {
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, offset, sizeof(SpGistLeafTupleData)));
  const auto info = load<uint16_t>(tuple.data() + leaf_info_at);
  store(tuple.data() + leaf_info_at,
        static_cast<uint16_t>((info & ~next_offset_mask) | (next & next_offset_mask)));
  return {};
}

result<void> vacuum_leaf(const pg::record& record, page& p) {
  spgxlogVacuumLeaf vacuum{};
  ZENITH_TRY(read_fixed_part(record, SizeOfSpgxlogVacuumLeaf, vacuum));
  record_reader data(record.main_data.subspan(SizeOfSpgxlogVacuumLeaf));
  constexpr size_t number_size = sizeof(pg::offset_number);
  ZENITH_TRY_ASSIGN(const auto dead, data.take(vacuum.nDead * number_size));
  ZENITH_TRY_ASSIGN(const auto placeholders, data.take(vacuum.nPlaceholder * number_size));
  ZENITH_TRY_ASSIGN(const auto move_from, data.take(vacuum.nMove * number_size));
  ZENITH_TRY_ASSIGN(const auto move_to, data.take(vacuum.nMove * number_size));
  ZENITH_TRY_ASSIGN(const auto chain_from, data.take(vacuum.nChain * number_size));
  ZENITH_TRY_ASSIGN(const auto chain_to, data.take(vacuum.nChain * number_size));
  const auto number = [](byte_view list, size_t i) {
    return load<pg::offset_number>(list.data() + i * number_size);
  };
  ZENITH_TRY(delete_tuples(p, dead, {.first = tuple_state::dead, .others = tuple_state::dead}));
  ZENITH_TRY(delete_tuples(p, placeholders, {}));
  for (size_t i = 0; i < vacuum.nMove; ++i) {
    ZENITH_TRY_ASSIGN(const auto from, pg::line_pointer_at(p, number(move_from, i)));
    ZENITH_TRY_ASSIGN(const auto to, pg::line_pointer_at(p, number(move_to, i)));
    ZENITH_TRY(pg::set_line_pointer(p, number(move_from, i), to));
    ZENITH_TRY(pg::set_line_pointer(p, number(move_to, i), from));
  }
  ZENITH_TRY(delete_tuples(p, move_from, {}));
  for (size_t i = 0; i < vacuum.nChain; ++i)
    ZENITH_TRY(set_next(p, number(chain_from, i), number(chain_to, i)));
  return {};
}

result<void> vacuum_root(const pg::record& record, page& p) {
  spgxlogVacuumRoot vacuum{};
  ZENITH_TRY(read_fixed_part(record, SizeOfSpgxlogVacuumRoot, vacuum));
  record_reader data(record.main_data.subspan(SizeOfSpgxlogVacuumRoot));
  ZENITH_TRY_ASSIGN(const auto numbers, data.take(vacuum.nDelete * sizeof(pg::offset_number)));
  sorted_numbers sorted;
  ZENITH_TRY(sort_numbers(numbers, sorted));
  return pg::page_index_multi_delete(p, sorted.view());
}

result<void> vacuum_redirect(const pg::record& record, page& p) {
  spgxlogVacuumRedirect vacuum{};
  ZENITH_TRY(read_fixed_part(record, SizeOfSpgxlogVacuumRedirect, vacuum));
  record_reader data(record.main_data.subspan(SizeOfSpgxlogVacuumRedirect));
  for (uint16_t i = 0; i < vacuum.nToPlaceholder; ++i) {
    ZENITH_TRY_ASSIGN(const auto number, data.take<pg::offset_number>());
    ZENITH_TRY(make_placeholder(p, number));
  }
  ZENITH_TRY_ASSIGN(auto* const counts, state_of(p));
  const size_t last = pg::max_offset(p);
  const size_t first = vacuum.firstPlaceholder;
  const size_t removed = first == InvalidOffsetNumber || first > last ? 0 : last - first + 1;
  if (counts->redirections < vacuum.nToPlaceholder ||
      counts->placeholders + size_t{vacuum.nToPlaceholder} < removed)
    return fail(errc::corrupt, fmt::format("the record retires {} redirections and {} "
                                           "placeholders of a page that counts {} and {}",
                                           vacuum.nToPlaceholder, removed, counts->redirections,
                                           counts->placeholders));
  counts->redirections = static_cast<uint16_t>(counts->redirections - vacuum.nToPlaceholder);
  counts->placeholders =
      static_cast<uint16_t>(counts->placeholders + vacuum.nToPlaceholder - removed);
  sorted_numbers trailing;
  if (removed > trailing.numbers.size())
    return fail(errc::corrupt, fmt::format("the page has {} line pointers", last));
  for (trailing.count = 0; trailing.count < removed; ++trailing.count)
    trailing.numbers[trailing.count] = static_cast<uint16_t>(first + trailing.count);
  if (removed == 0) return {};
  return pg::page_index_multi_delete(p, trailing.view());
}

}  // namespace zenith::redo::spgist
