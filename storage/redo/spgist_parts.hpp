// What the files of SP-GiST redo share: its pages and tuples, with every offset checked.
//
// Tuples are bytes here (spgist_private.h), at any alignment. Errors are `corrupt`.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/record.hpp"
#include "storage/redo/record_parts.hpp"

namespace zenith::redo::spgist {

/// The special space of an SP-GiST page (SpGistPageOpaqueData), 8 bytes, in place.
struct page_state {
  uint16_t flags;  ///< SPGIST_*
  uint16_t redirections;
  uint16_t placeholders;
  uint16_t page_id;
};
static_assert(sizeof(page_state) == 8);

result<page_state*> state_of(page& p);
/// SpGistInitPage.
void init_page(page& p, uint16_t flags);

/// A tuple's place in the index.
struct tuple_place {
  block_number block = 0;
  uint16_t offset = 0;
};

/// What a tuple's first two bits say: SPGIST_LIVE, _REDIRECT, _DEAD and _PLACEHOLDER, which is what
/// PostgreSQL calls a tuple that only keeps its line pointer's place (spgist_private.h).
enum class tuple_state : uint8_t { live = 0, redirect = 1, dead = 2, placeholder = 3 };

/// Takes the leaf tuple, or the inner one, that comes next in a record.
result<byte_view> take_leaf(record_reader& data);
result<byte_view> take_inner(record_reader& data);

/// addOrReplaceTuple (spgxlog.c): adds a tuple at the end, or in a placeholder's place.
result<void> add_or_replace(page& p, byte_view tuple, uint16_t offset);
/// Puts a tuple into the place of any other.
result<void> replace(page& p, byte_view tuple, uint16_t offset);
/// Puts a redirection to this place, or else a placeholder, into a tuple's place, and counts it.
result<void> retire(page& p, uint16_t offset, tuple_state state, tuple_place target, uint32_t xid);

/// spgPageIndexMultiDelete (spgdoinsert.c): tuples, numbered by these bytes in any order, become
/// dead ones: the first of them of one kind, the others of another.
struct replacement {
  tuple_state first = tuple_state::placeholder;
  tuple_state others = tuple_state::placeholder;
  tuple_place target;  ///< of redirections
  uint32_t xid = 0;    ///< of redirections
};
result<void> delete_tuples(page& p, byte_view numbers, const replacement& by);

/// spgUpdateNodeLink: the inner tuple's node leads to this place from now on.
result<void> set_downlink(page& p, uint16_t offset, uint16_t node, tuple_place target);
/// SGLT_SET_NEXTOFFSET: the leaf tuple's chain goes on with this one.
result<void> set_next(page& p, uint16_t offset, uint16_t next);

/// spgRedoVacuumLeaf, spgRedoVacuumRoot and spgRedoVacuumRedirect.
result<void> vacuum_leaf(const pg::record& record, page& p);
result<void> vacuum_root(const pg::record& record, page& p);
result<void> vacuum_redirect(const pg::record& record, page& p);

/// The fixed part of a record's main data, where the structure ends in an array of any length.
template <class T>
result<void> read_fixed_part(const pg::record& record, size_t size_bytes, T& into) {
  if (record.main_data.size() < size_bytes)
    return fail(errc::corrupt, "the record's main data is too short for its kind");
  std::memcpy(&into, record.main_data.data(), size_bytes);
  return {};
}

}  // namespace zenith::redo::spgist
