// Redo of the resource manager SPGist (spgxlog.c, spg_redo).
#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/resource_managers.hpp"
#include "storage/redo/spgist_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/spgist_private.h>
#include <access/spgxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace spgist {
namespace {

constexpr size_t number_size_bytes = sizeof(uint16_t);

/// The block number of a page that the record must name.
result<block_number> block_of(const pg::record& record, uint8_t id) {
  const auto* reference = record.block(id);
  if (reference == nullptr)
    return fail(errc::corrupt, fmt::format("the record does not name its block {}", id));
  return reference->block;
}

uint16_t leaf_flags(bool stores_nulls) {
  return static_cast<uint16_t>(SPGIST_LEAF | (stores_nulls ? SPGIST_NULLS : 0));
}

/// spgxlogState, which several records hold: who left a redirection, and whether none is needed.
struct writer_state {
  uint32_t xid = 0;
  bool builds = false;

  tuple_state left_behind() const {
    return builds ? tuple_state::placeholder : tuple_state::redirect;
  }
};
writer_state writer_at(const pg::record& record, size_t offset) {
  return {load<uint32_t>(record.main_data.data() + offset + offsetof(spgxlogState, myXid)),
          main_flag(record, offset + offsetof(spgxlogState, isBuild))};
}

/// spgRedoAddLeaf.
result<void> add_leaf(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto added, read_main<spgxlogAddLeaf>(record));
  if (reference.id == 1) {
    ZENITH_TRY_ASSIGN(const auto leaf_block, block_of(record, 0));
    return set_downlink(p, added.offnumParent, added.nodeI, {leaf_block, added.offnumLeaf});
  }
  record_reader data(record.main_data.subspan(sizeof(spgxlogAddLeaf)));
  ZENITH_TRY_ASSIGN(const auto tuple, take_leaf(data));
  if (main_flag(record, offsetof(spgxlogAddLeaf, newPage)))
    init_page(p, leaf_flags(main_flag(record, offsetof(spgxlogAddLeaf, storesNulls))));
  // The head of the chain in its own place was a dead tuple.
  if (added.offnumLeaf == added.offnumHeadLeaf) return replace(p, tuple, added.offnumLeaf);
  ZENITH_TRY(add_or_replace(p, tuple, added.offnumLeaf));
  if (added.offnumHeadLeaf == InvalidOffsetNumber) return {};
  return set_next(p, added.offnumHeadLeaf, added.offnumLeaf);
}

/// spgRedoMoveLeafs.
result<void> move_leafs(const pg::record& record, const pg::block_reference& reference, page& p) {
  spgxlogMoveLeafs move{};
  ZENITH_TRY(read_fixed_part(record, SizeOfSpgxlogMoveLeafs, move));
  const bool replaces_dead = main_flag(record, offsetof(spgxlogMoveLeafs, replaceDead));
  const size_t inserted = replaces_dead ? 1 : move.nMoves + size_t{1};
  record_reader data(record.main_data.subspan(SizeOfSpgxlogMoveLeafs));
  ZENITH_TRY_ASSIGN(const auto deleted, data.take(move.nMoves * number_size_bytes));
  ZENITH_TRY_ASSIGN(const auto places, data.take(inserted * number_size_bytes));
  const auto place = [&places](size_t i) {
    return load<uint16_t>(places.data() + i * number_size_bytes);
  };
  ZENITH_TRY_ASSIGN(const auto target_block, block_of(record, 1));
  const tuple_place last{target_block, place(inserted - 1)};
  if (reference.id == 2) return set_downlink(p, move.offnumParent, move.nodeI, last);
  if (reference.id == 0) {
    const auto writer = writer_at(record, offsetof(spgxlogMoveLeafs, stateSrc));
    return delete_tuples(p, deleted,
                         {writer.left_behind(), tuple_state::placeholder, last, writer.xid});
  }
  if (main_flag(record, offsetof(spgxlogMoveLeafs, newPage)))
    init_page(p, leaf_flags(main_flag(record, offsetof(spgxlogMoveLeafs, storesNulls))));
  for (size_t i = 0; i < inserted; ++i) {
    ZENITH_TRY_ASSIGN(const auto tuple, take_leaf(data));
    ZENITH_TRY(add_or_replace(p, tuple, place(i)));
  }
  return {};
}

/// spgRedoAddNode: an inner tuple with one more node, in place or elsewhere.
result<void> add_node(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto added, read_main<spgxlogAddNode>(record));
  record_reader data(record.main_data.subspan(sizeof(spgxlogAddNode)));
  ZENITH_TRY_ASSIGN(const auto tuple, take_inner(data));
  if (record.block(1) == nullptr) return replace(p, tuple, added.offnum);

  ZENITH_TRY_ASSIGN(const auto new_block, block_of(record, 1));
  const tuple_place new_place{new_block, added.offnumNew};
  if (reference.id == 1) {
    if (main_flag(record, offsetof(spgxlogAddNode, newPage))) init_page(p, 0);
    ZENITH_TRY(add_or_replace(p, tuple, added.offnumNew));
  } else if (reference.id == 0) {
    const auto writer = writer_at(record, offsetof(spgxlogAddNode, stateSrc));
    ZENITH_TRY(retire(p, added.offnum, writer.left_behind(), new_place, writer.xid));
  }
  if (added.parentBlk != reference.id) return {};
  return set_downlink(p, added.offnumParent, added.nodeI, new_place);
}

/// spgRedoSplitTuple: an inner tuple becomes a prefix and a postfix.
result<void> split_tuple(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto split, read_main<spgxlogSplitTuple>(record));
  record_reader data(record.main_data.subspan(sizeof(spgxlogSplitTuple)));
  ZENITH_TRY_ASSIGN(const auto prefix, take_inner(data));
  ZENITH_TRY_ASSIGN(const auto postfix, take_inner(data));
  if (reference.id == 1) {
    if (main_flag(record, offsetof(spgxlogSplitTuple, newPage))) init_page(p, 0);
    return add_or_replace(p, postfix, split.offnumPostfix);
  }
  ZENITH_TRY(replace(p, prefix, split.offnumPrefix));
  if (!main_flag(record, offsetof(spgxlogSplitTuple, postfixBlkSame))) return {};
  return add_or_replace(p, postfix, split.offnumPostfix);
}

/// The parts of a PICKSPLIT record.
struct pick_split {
  byte_view deleted;
  byte_view places;
  byte_view selectors;  ///< for each inserted tuple: 0 for the source page, else the other one
  byte_view inner_tuple;
  byte_view leafs;
  spgxlogPickSplit fixed;  ///< last, since it ends in an array of any length
};

result<void> read_pick_split(const pg::record& record, pick_split& into) {
  ZENITH_TRY(read_fixed_part(record, SizeOfSpgxlogPickSplit, into.fixed));
  record_reader data(record.main_data.subspan(SizeOfSpgxlogPickSplit));
  ZENITH_TRY_ASSIGN(into.deleted, data.take(into.fixed.nDelete * number_size_bytes));
  ZENITH_TRY_ASSIGN(into.places, data.take(into.fixed.nInsert * number_size_bytes));
  ZENITH_TRY_ASSIGN(into.selectors, data.take(into.fixed.nInsert));
  ZENITH_TRY_ASSIGN(into.inner_tuple, take_inner(data));
  into.leafs = data.rest();
  return {};
}

/// Puts those leaf tuples on the page that are meant for it.
result<void> add_split_leafs(const pick_split& split, bool is_source, page& p) {
  record_reader data(split.leafs);
  for (size_t i = 0; i < split.fixed.nInsert; ++i) {
    ZENITH_TRY_ASSIGN(const auto tuple, take_leaf(data));
    if ((split.selectors[i] == std::byte{0}) != is_source) continue;
    ZENITH_TRY(
        add_or_replace(p, tuple, load<uint16_t>(split.places.data() + i * number_size_bytes)));
  }
  return {};
}

/// spgRedoPickSplit: a leaf page's tuples get an inner tuple above them.
result<void> apply_pick_split(const pg::record& record, const pg::block_reference& reference,
                              page& p) {
  pick_split split{};
  ZENITH_TRY(read_pick_split(record, split));
  ZENITH_TRY_ASSIGN(const auto inner_block, block_of(record, 2));
  const auto flag = [&record](size_t offset) { return main_flag(record, offset); };
  const bool nulls = flag(offsetof(spgxlogPickSplit, storesNulls));
  const tuple_place inner{inner_block, split.fixed.offnumInner};
  switch (reference.id) {
    case 0: {
      const auto writer = writer_at(record, offsetof(spgxlogPickSplit, stateSrc));
      if (flag(offsetof(spgxlogPickSplit, initSrc)))
        init_page(p, leaf_flags(nulls));
      else
        ZENITH_TRY(delete_tuples(
            p, split.deleted, {writer.left_behind(), tuple_state::placeholder, inner, writer.xid}));
      return add_split_leafs(split, true, p);
    }
    case 1:
      if (flag(offsetof(spgxlogPickSplit, initDest))) init_page(p, leaf_flags(nulls));
      return add_split_leafs(split, false, p);
    case 2:
      if (flag(offsetof(spgxlogPickSplit, initInner))) init_page(p, nulls ? SPGIST_NULLS : 0);
      ZENITH_TRY(add_or_replace(p, split.inner_tuple, split.fixed.offnumInner));
      if (!flag(offsetof(spgxlogPickSplit, innerIsParent))) return {};
      break;
    default:
      break;
  }
  return set_downlink(p, split.fixed.offnumParent, split.fixed.nodeI, inner);
}

result<void> apply_to_page(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  switch (record.opcode()) {
    case XLOG_SPGIST_ADD_LEAF:
      return add_leaf(record, reference, p);
    case XLOG_SPGIST_MOVE_LEAFS:
      return move_leafs(record, reference, p);
    case XLOG_SPGIST_ADD_NODE:
      return add_node(record, reference, p);
    case XLOG_SPGIST_SPLIT_TUPLE:
      return split_tuple(record, reference, p);
    case XLOG_SPGIST_PICKSPLIT:
      return apply_pick_split(record, reference, p);
    case XLOG_SPGIST_VACUUM_LEAF:
      return vacuum_leaf(record, p);
    case XLOG_SPGIST_VACUUM_ROOT:
      return vacuum_root(record, p);
    case XLOG_SPGIST_VACUUM_REDIRECT:
      return vacuum_redirect(record, p);
    default:
      return fail(errc::unsupported, "the SP-GiST resource manager has no such operation");
  }
}

}  // namespace
}  // namespace spgist

result<void> apply_spgist(const pg::record& record, const pg::block_reference* reference,
                          const key&, page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not name this page");
  ZENITH_TRY(spgist::apply_to_page(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
