// Telling what made a page from its special space.
#include "storage/postgres/page_kind.hpp"

#include "storage/postgres/page_items.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/brin_page.h>
#include <access/ginblock.h>
#include <access/gist.h>
#include <access/hash.h>
#include <access/nbtree.h>
#include <access/spgist_private.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {
namespace {

// sequence.c: SEQ_MAGIC, which its special space begins with.
constexpr uint32_t sequence_magic = 0x1717;
// All flags of a GIN page (ginblock.h), which are its last two bytes.
constexpr uint16_t gin_flags = GIN_DATA | GIN_LEAF | GIN_DELETED | GIN_META | GIN_LIST |
                               GIN_LIST_FULLROW | GIN_INCOMPLETE_SPLIT | GIN_COMPRESSED;

constexpr size_t large_special = sizeof(BTPageOpaqueData);
static_assert(large_special == 16 && sizeof(HashPageOpaqueData) == large_special &&
              sizeof(GISTPageOpaqueData) == large_special);
constexpr size_t small_special = sizeof(GinPageOpaqueData);
static_assert(small_special == 8 && sizeof(SpGistPageOpaqueData) == small_special &&
              sizeof(BrinSpecialSpace) == small_special);

page_kind kind_with_large_special(uint16_t mark) {
  if (mark == HASHO_PAGE_ID) return page_kind::hash;
  if (mark == GIST_PAGE_ID) return page_kind::gist;
  return mark <= MAX_BT_CYCLE_ID ? page_kind::btree : page_kind::other;
}

page_kind kind_with_small_special(const std::byte* special, uint16_t mark, block_number block) {
  // A GIN page's right link can look like a sequence's magic, but not in its first block.
  if (block == 0 && load<uint64_t>(special) == sequence_magic) return page_kind::sequence;
  if (mark == SPGIST_PAGE_ID) return page_kind::spgist;
  if (mark == BRIN_PAGETYPE_META || mark == BRIN_PAGETYPE_REVMAP || mark == BRIN_PAGETYPE_REGULAR)
    return page_kind::brin;
  return (mark & ~gin_flags) == 0 ? page_kind::gin : page_kind::other;
}

}  // namespace

page_kind kind_of(const page& p, block_number block) {
  if (page_is_new(p)) return page_kind::empty;
  const size_t special = page_special(p);
  if (special == page_size_bytes) return page_kind::heap;
  const auto mark = load<uint16_t>(p.begin() + page_size_bytes - sizeof(uint16_t));
  if (special == page_size_bytes - large_special) return kind_with_large_special(mark);
  if (special == page_size_bytes - small_special)
    return kind_with_small_special(p.begin() + special, mark, block);
  return page_kind::other;
}

resource_manager mask_of(page_kind kind) {
  switch (kind) {
    case page_kind::heap:
      return resource_manager::heap;
    case page_kind::btree:
      return resource_manager::btree;
    case page_kind::hash:
      return resource_manager::hash;
    case page_kind::gin:
      return resource_manager::gin;
    case page_kind::gist:
      return resource_manager::gist;
    case page_kind::spgist:
      return resource_manager::spgist;
    case page_kind::brin:
      return resource_manager::brin;
    case page_kind::sequence:
      return resource_manager::sequence;
    case page_kind::empty:
    case page_kind::other:
      break;
  }
  return resource_manager::generic;
}

}  // namespace zenith::pg
