// Redo of the resource manager Hash (hash_xlog.c, hash_redo).
#include <fmt/format.h>

#include <array>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/hash_parts.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/hash.h>
#include <access/hash_xlog.h>
#include <access/itup.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace hash_index {

static_assert(offsetof(page_links, flags) == offsetof(HashPageOpaqueData, hasho_flag));
static_assert(sizeof(page_links) == sizeof(HashPageOpaqueData));

result<page_links*> links_of(page& p) {
  ZENITH_TRY(pg::check_page_header(p));
  ZENITH_TRY_ASSIGN(const auto special, pg::special_space(p));
  if (special.size() < sizeof(page_links))
    return fail(errc::corrupt, fmt::format("the page has a special space of {} bytes, not of a "
                                           "hash page's {}",
                                           special.size(), sizeof(page_links)));
  return reinterpret_cast<page_links*>(special.data());
}

void init_page(page& p, uint32_t previous, uint32_t bucket, uint16_t flags) {
  pg::page_init(p, sizeof(page_links));
  store(p.begin() + page_size_bytes - sizeof(page_links),
        page_links{previous, InvalidBlockNumber, bucket, flags, HASHO_PAGE_ID});
}

namespace {

result<void> clear_flag(page& p, unsigned flag) {
  ZENITH_TRY_ASSIGN(auto* const links, links_of(p));
  links->flags = static_cast<uint16_t>(links->flags & ~flag);
  return {};
}

result<void> set_next(page& p, block_number next) {
  ZENITH_TRY_ASSIGN(auto* const links, links_of(p));
  links->next = next;
  return {};
}

/// PageIndexMultiDelete of the offset numbers that these bytes are.
result<void> delete_items(page& p, byte_view numbers) {
  std::array<pg::offset_number, page_size_bytes / sizeof(ItemIdData)> copied;
  const size_t count = numbers.size() / sizeof(pg::offset_number);
  if (count > copied.size())
    return fail(errc::corrupt, fmt::format("{} items are to be deleted from one page", count));
  if (count == 0) return {};
  std::memcpy(copied.data(), numbers.data(), count * sizeof(pg::offset_number));
  return pg::page_index_multi_delete(p, {copied.data(), count});
}

/// The tuples that a squeezed bucket gets from a later page: their places, then each MAXALIGNed.
result<void> add_moved_tuples(const pg::block_reference& reference, uint16_t count, page& p) {
  if (count == 0) return {};
  record_reader data(reference.data);
  ZENITH_TRY_ASSIGN(const auto places, data.take(count * sizeof(uint16_t)));
  for (size_t i = 0; i < count; ++i) {
    ZENITH_TRY_ASSIGN(const auto header, read_front<IndexTupleData>(data.rest(), "an index tuple"));
    ZENITH_TRY_ASSIGN(const auto tuple, data.take(MAXALIGN(header.t_info & INDEX_SIZE_MASK)));
    const auto place = load<uint16_t>(places.data() + i * sizeof(uint16_t));
    ZENITH_TRY(pg::page_add_item(p, tuple, place, pg::add_item_mode::insert, false));
  }
  if (!data.rest().empty())
    return fail(errc::corrupt, fmt::format("{} bytes follow the {} tuples of the record",
                                           data.rest().size(), count));
  return {};
}

/// hash_xlog_insert, the page that gets the tuple.
result<void> insert(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto insert, read_main<xl_hash_insert>(record, SizeOfHashInsert));
  ZENITH_TRY(pg::page_add_item(p, reference.data, insert.offnum, pg::add_item_mode::insert, false));
  return {};
}

/// hash_xlog_add_ovfl_page.
result<void> add_overflow_page(const pg::record& record, const pg::block_reference& reference,
                               page& p) {
  const auto* added = record.block(0);
  const auto* left = record.block(1);
  if (added == nullptr || left == nullptr)
    return fail(errc::corrupt, "the record does not name the new page and the one before it");
  switch (reference.id) {
    case 0: {
      ZENITH_TRY_ASSIGN(const auto bucket, record_reader(reference.data).take<uint32_t>());
      init_page(p, left->block, bucket, LH_OVERFLOW_PAGE);
      return {};
    }
    case 1:
      return set_next(p, added->block);
    case 2:
      return change_bitmap(reference, bit_value::set, p);
    case 3: {
      ZENITH_TRY_ASSIGN(const auto fixed,
                        read_main<xl_hash_add_ovfl_page>(record, SizeOfHashAddOvflPage));
      return init_bitmap(p, fixed.bmsize);
    }
    default:
      return apply_to_metapage(record, reference, p);
  }
}

/// hash_xlog_split_allocate_page. PostgreSQL changes the old bucket's page after its image was
/// restored as well, to what the image has already: it is taken after the change.
result<void> allocate_bucket(const pg::record& record, const pg::block_reference& reference,
                             page& p) {
  ZENITH_TRY_ASSIGN(const auto split,
                    read_main<xl_hash_split_allocate_page>(record, SizeOfHashSplitAllocPage));
  if (reference.id == 1) {
    init_page(p, split.new_bucket, split.new_bucket, split.new_bucket_flag);
    return {};
  }
  if (reference.id != 0) return apply_to_metapage(record, reference, p);
  ZENITH_TRY_ASSIGN(auto* const links, links_of(p));
  links->flags = split.old_bucket_flag;
  links->previous = split.new_bucket;
  return {};
}

/// hash_xlog_split_complete; what is said above of images holds here too.
result<void> complete_split(const pg::record& record, const pg::block_reference& reference,
                            page& p) {
  ZENITH_TRY_ASSIGN(const auto complete,
                    read_main<xl_hash_split_complete>(record, SizeOfHashSplitComplete));
  ZENITH_TRY_ASSIGN(auto* const links, links_of(p));
  links->flags = reference.id == 0 ? complete.old_bucket_flag : complete.new_bucket_flag;
  return {};
}

/// hash_xlog_move_page_contents; the bucket's first page is named only to be locked.
result<void> move_contents(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  ZENITH_TRY_ASSIGN(const auto move,
                    read_main<xl_hash_move_page_contents>(record, SizeOfHashMovePageContents));
  if (reference.id == 1) return add_moved_tuples(reference, move.ntups, p);
  return delete_items(p, reference.data);
}

/// hash_xlog_squeeze_page.
result<void> squeeze(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto squeeze,
                    read_main<xl_hash_squeeze_page>(record, SizeOfHashSqueezePage));
  switch (reference.id) {
    case 1:
      ZENITH_TRY(add_moved_tuples(reference, squeeze.ntups, p));
      return main_flag(record, offsetof(xl_hash_squeeze_page, is_prev_bucket_same_wrt))
                 ? set_next(p, squeeze.nextblkno)
                 : result<void>{};
    case 2:
      init_page(p, InvalidBlockNumber, InvalidBucket, LH_UNUSED_PAGE);
      return {};
    case 3:
      return set_next(p, squeeze.nextblkno);
    case 4: {
      ZENITH_TRY_ASSIGN(auto* const links, links_of(p));
      links->previous = squeeze.prevblkno;
      return {};
    }
    case 5:
      return change_bitmap(reference, bit_value::clear, p);
    default:
      return apply_to_metapage(record, reference, p);
  }
}

/// hash_xlog_delete.
result<void> delete_tuples(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  ZENITH_TRY(read_main<xl_hash_delete>(record, SizeOfHashDelete));
  ZENITH_TRY(delete_items(p, reference.data));
  return main_flag(record, offsetof(xl_hash_delete, clear_dead_marking))
             ? clear_flag(p, LH_PAGE_HAS_DEAD_TUPLES)
             : result<void>{};
}

/// hash_xlog_vacuum_one_page, the page with dead tuples.
result<void> vacuum_page(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(const auto vacuum, read_main<xl_hash_vacuum_one_page>(record));
  const auto numbers = record.main_data.subspan(SizeOfHashVacuumOnePage);
  if (vacuum.ntuples < 0 || numbers.size() / sizeof(uint16_t) < size_t(vacuum.ntuples))
    return fail(errc::corrupt, fmt::format("the record deletes {} tuples and has {} bytes of "
                                           "offset numbers",
                                           vacuum.ntuples, numbers.size()));
  ZENITH_TRY(delete_items(p, numbers.first(size_t(vacuum.ntuples) * sizeof(uint16_t))));
  return clear_flag(p, LH_PAGE_HAS_DEAD_TUPLES);
}

/// The record names this page only for the lock on the bucket that it begins.
bool only_locks(const pg::record& record, const pg::block_reference& reference) {
  const auto opcode = record.opcode();
  return reference.id == 0 && (opcode == XLOG_HASH_MOVE_PAGE_CONTENTS ||
                               opcode == XLOG_HASH_SQUEEZE_PAGE || opcode == XLOG_HASH_DELETE);
}

result<void> apply_to_page(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  switch (record.opcode()) {
    case XLOG_HASH_INIT_META_PAGE:
    case XLOG_HASH_UPDATE_META_PAGE:
      return apply_to_metapage(record, reference, p);
    case XLOG_HASH_INIT_BITMAP_PAGE: {
      if (reference.id != 0) return apply_to_metapage(record, reference, p);
      ZENITH_TRY_ASSIGN(const auto init,
                        read_main<xl_hash_init_bitmap_page>(record, SizeOfHashInitBitmapPage));
      return init_bitmap(p, init.bmsize);
    }
    case XLOG_HASH_INSERT:
      return reference.id == 0 ? insert(record, reference, p)
                               : apply_to_metapage(record, reference, p);
    case XLOG_HASH_ADD_OVFL_PAGE:
      return add_overflow_page(record, reference, p);
    case XLOG_HASH_SPLIT_ALLOCATE_PAGE:
      return allocate_bucket(record, reference, p);
    case XLOG_HASH_SPLIT_PAGE:
      return fail(errc::corrupt, "the record has no full-page image, which is all that it does");
    case XLOG_HASH_SPLIT_COMPLETE:
      return complete_split(record, reference, p);
    case XLOG_HASH_MOVE_PAGE_CONTENTS:
      return move_contents(record, reference, p);
    case XLOG_HASH_SQUEEZE_PAGE:
      return squeeze(record, reference, p);
    case XLOG_HASH_DELETE:
      return delete_tuples(record, reference, p);
    case XLOG_HASH_SPLIT_CLEANUP:
      return clear_flag(p, LH_BUCKET_NEEDS_SPLIT_CLEANUP);
    case XLOG_HASH_VACUUM_ONE_PAGE:
      return reference.id == 0 ? vacuum_page(record, p) : apply_to_metapage(record, reference, p);
    default:
      return fail(errc::unsupported, "the hash resource manager has no such operation");
  }
}

}  // namespace
}  // namespace hash_index

result<void> apply_hash(const pg::record& record, const pg::block_reference* reference, const key&,
                        page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not name this page");
  if (hash_index::only_locks(record, *reference)) return {};
  ZENITH_TRY(hash_index::apply_to_page(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
