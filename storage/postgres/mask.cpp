// mask: one function for each resource manager that has one (bufmask.c, heap_mask, btree_mask...).
#include "storage/postgres/mask.hpp"

#include <algorithm>
#include <cstring>

#include "storage/postgres/page_items.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/brin_page.h>
#include <access/gin_private.h>
#include <access/gist.h>
#include <access/hash.h>
#include <access/htup_details.h>
#include <access/nbtree.h>
#include <access/spgist_private.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

PageHeaderData& header_of(page& p) { return *reinterpret_cast<PageHeaderData*>(p.begin()); }

/// The special space as this structure; nullptr where the page has none that is large enough.
template <class Opaque>
Opaque* special_of(page& p) {
  const size_t at = page_special(p);
  if (at < SizeOfPageHeaderData || at % 8 != 0 || at + sizeof(Opaque) > page_size_bytes)
    return nullptr;
  return reinterpret_cast<Opaque*>(p.begin() + at);
}

// mask_page_lsn_and_checksum.
void mask_lsn_and_checksum(page& p) {
  header_of(p).pd_lsn = {};
  header_of(p).pd_checksum = 0;
}

// mask_page_hint_bits.
void mask_hint_bits(page& p) {
  header_of(p).pd_prune_xid = 0;
  header_of(p).pd_flags &=
      static_cast<uint16_t>(~(PD_PAGE_FULL | PD_HAS_FREE_LINES | PD_ALL_VISIBLE));
}

// mask_unused_space.
void mask_unused_space(page& p) {
  if (check_page_header(p))
    std::memset(p.begin() + page_lower(p), 0, page_upper(p) - page_lower(p));
}

// mask_lp_flags.
void mask_line_pointer_flags(page& p) {
  for (unsigned number = 1; number <= max_offset(p); ++number) {
    const auto place = static_cast<offset_number>(number);
    auto pointer = line_pointer_at(p, place);
    if (!pointer || pointer->flags == LP_UNUSED) continue;
    pointer->flags = LP_UNUSED;
    static_cast<void>(set_line_pointer(p, place, *pointer));
  }
}

// mask_page_content: all but the header, and pd_lower and pd_upper.
void mask_content(page& p) {
  std::memset(p.begin() + SizeOfPageHeaderData, 0, page_size_bytes - SizeOfPageHeaderData);
  header_of(p).pd_lower = 0;
  header_of(p).pd_upper = 0;
}

void mask_heap_tuple(block_number block, offset_number number, byte_span item) {
  // A tuple's fields are read and written at any alignment: the page may be damaged. The struct has
  // a byte of padding that a tuple at the page's end does not.
  HeapTupleHeaderData tuple;
  std::memcpy(&tuple, item.data(), SizeofHeapTupleHeader);
  if ((tuple.t_infomask & HEAP_XMIN_FROZEN) != HEAP_XMIN_FROZEN)
    tuple.t_infomask &= static_cast<uint16_t>(~HEAP_XACT_MASK);
  else
    tuple.t_infomask &= static_cast<uint16_t>(~(HEAP_XMAX_INVALID | HEAP_XMAX_COMMITTED));
  // HEAP_COMBOCID says how t_cid is to be read. heap_mask leaves it where xmin is frozen, but redo
  // clears it with t_cid (heap_xlog_lock and others, HeapTupleHeaderSetCmax) where the server had
  // not: stock recovery then complains of the page that it makes itself.
  tuple.t_infomask &= static_cast<uint16_t>(~HEAP_COMBOCID);
  tuple.t_choice.t_heap.t_field3.t_cid = 0;
  if (tuple.t_ctid.ip_posid == SpecTokenOffsetNumber) {
    tuple.t_ctid.ip_blkid = {static_cast<uint16_t>(block >> 16), static_cast<uint16_t>(block)};
    tuple.t_ctid.ip_posid = number;
  }
  std::memcpy(item.data(), &tuple, SizeofHeapTupleHeader);
}

void mask_heap(block_number block, page& p) {
  mask_hint_bits(p);
  mask_unused_space(p);
  for (unsigned number = 1; number <= max_offset(p); ++number) {
    const auto place = static_cast<offset_number>(number);
    const auto pointer = line_pointer_at(p, place);
    if (!pointer || pointer->length == 0) continue;
    const size_t end = size_t{pointer->offset} + pointer->length;
    if (end > page_size_bytes) continue;
    if (pointer->flags == LP_NORMAL && pointer->length >= SizeofHeapTupleHeader)
      mask_heap_tuple(block, place, p.span().subspan(pointer->offset, pointer->length));
    // The padding behind an item.
    std::memset(p.begin() + end, 0, std::min(MAXALIGN(end), page_size_bytes) - end);
  }
}

void mask_btree(page& p) {
  mask_hint_bits(p);
  mask_unused_space(p);
  auto* special = special_of<BTPageOpaqueData>(p);
  if (special == nullptr) return;
  if (P_ISLEAF(special)) mask_line_pointer_flags(p);
  special->btpo_flags &= static_cast<uint16_t>(~(BTP_HAS_GARBAGE | BTP_SPLIT_END));
  special->btpo_cycleid = 0;
}

void mask_hash(page& p) {
  mask_hint_bits(p);
  mask_unused_space(p);
  auto* special = special_of<HashPageOpaqueData>(p);
  if (special == nullptr) return;
  const auto type = special->hasho_flag & LH_PAGE_TYPE;
  if (type == LH_UNUSED_PAGE)
    mask_content(p);
  else if (type == LH_BUCKET_PAGE || type == LH_OVERFLOW_PAGE)
    mask_line_pointer_flags(p);
  special->hasho_flag &= static_cast<uint16_t>(~LH_PAGE_HAS_DEAD_TUPLES);
}

void mask_gin(page& p) {
  mask_hint_bits(p);
  const auto* special = special_of<GinPageOpaqueData>(p);
  if (special == nullptr) return;
  if ((special->flags & GIN_DELETED) != 0)
    mask_content(p);
  else if (page_lower(p) > SizeOfPageHeaderData)
    mask_unused_space(p);
}

void mask_gist(page& p) {
  mask_hint_bits(p);
  mask_unused_space(p);
  auto* special = special_of<GISTPageOpaqueData>(p);
  if (special == nullptr) return;
  special->nsn = {};
  special->flags |= F_FOLLOW_RIGHT;
  if ((special->flags & F_LEAF) != 0) mask_line_pointer_flags(p);
  special->flags &= static_cast<uint16_t>(~F_HAS_GARBAGE);
}

void mask_spgist(page& p) {
  mask_hint_bits(p);
  if (page_lower(p) >= SizeOfPageHeaderData) mask_unused_space(p);
}

void mask_brin(page& p) {
  mask_hint_bits(p);
  auto* special = special_of<BrinSpecialSpace>(p);
  if (special == nullptr) return;
  // The type is the last word, the flags are the one before it (brin_page.h).
  const auto type = special->vector[MAXALIGN(1) / sizeof(uint16) - 1];
  if (type == BRIN_PAGETYPE_REGULAR ||
      (type == BRIN_PAGETYPE_META && page_lower(p) > SizeOfPageHeaderData))
    mask_unused_space(p);
  special->vector[MAXALIGN(1) / sizeof(uint16) - 2] &= static_cast<uint16_t>(~BRIN_EVACUATE_PAGE);
}

}  // namespace

bool has_mask(resource_manager rmgr) {
  using enum resource_manager;
  switch (rmgr) {
    case heap2:
    case heap:
    case btree:
    case hash:
    case gin:
    case gist:
    case sequence:
    case spgist:
    case brin:
    case generic:
      return true;
    default:
      return false;
  }
}

void mask_page(resource_manager rmgr, block_number block, page& p) {
  using enum resource_manager;
  mask_lsn_and_checksum(p);
  switch (rmgr) {
    case heap2:
    case heap:
      return mask_heap(block, p);
    case btree:
      return mask_btree(p);
    case hash:
      return mask_hash(p);
    case gin:
      return mask_gin(p);
    case gist:
      return mask_gist(p);
    case spgist:
      return mask_spgist(p);
    case brin:
      return mask_brin(p);
    case sequence:
    case generic:
      return mask_unused_space(p);
    default:
      return;
  }
}

std::optional<page_difference> first_difference(const page& first, const page& second) {
  if (std::memcmp(first.begin(), second.begin(), page_size_bytes) == 0) return std::nullopt;
  const auto [a, b] = std::ranges::mismatch(first.data, second.data);
  return page_difference{static_cast<uint32_t>(a - first.data.begin()), *a, *b};
}

std::optional<page_difference> first_difference(resource_manager rmgr, block_number block,
                                                page first, page second) {
  mask_page(rmgr, block, first);
  mask_page(rmgr, block, second);
  return first_difference(first, second);
}

void mask_never_logged(page_kind kind, page& p) {
  if (kind != page_kind::spgist) return;
  const auto* special = special_of<SpGistPageOpaqueData>(p);
  if (special == nullptr || (special->flags & SPGIST_META) == 0) return;
  constexpr size_t list =
      MAXALIGN(SizeOfPageHeaderData) + offsetof(SpGistMetaPageData, lastUsedPages);
  std::memset(p.begin() + list, 0, sizeof(SpGistLUPCache));
}

}  // namespace zenith::pg
