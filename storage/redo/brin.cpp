// Redo of the resource manager BRIN (brin_xlog.c, brin_redo).
#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/brin_page.h>
#include <access/brin_xlog.h>
#include <storage/bufpage.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

constexpr size_t contents_at = MAXALIGN(SizeOfPageHeaderData);

/// brin_page_init: the page's type is its last word.
void init_page(page& p, uint16_t type) {
  pg::page_init(p, sizeof(BrinSpecialSpace));
  store(p.begin() + page_size_bytes - sizeof(type), type);
}

void put_meta(page& p, const BrinMetaPageData& meta) {
  store(p.begin() + contents_at, meta);
  store<uint16_t>(p.begin() + offsetof(PageHeaderData, pd_lower), contents_at + sizeof(meta));
}

/// brin_metapage_init.
result<void> create_index(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(const auto create, read_main<xl_brin_createidx>(record, SizeOfBrinCreateIdx));
  init_page(p, BRIN_PAGETYPE_META);
  put_meta(p, {BRIN_META_MAGIC, create.version, create.pagesPerRange, 0});
  return {};
}

/// brinSetHeapBlockItemptr (brin_revmap.c): where the summary of a heap block's range is; an offset
/// number of 0 says that there is none.
result<void> set_summary_place(page& p, block_number pages_per_range, block_number heap_block,
                               block_number block, uint16_t offset) {
  if (pages_per_range == 0) return fail(errc::corrupt, "a range has 0 pages");
  const size_t index = heap_block / pages_per_range % REVMAP_PAGE_MAXITEMS;
  const ItemPointerData place{
      {static_cast<uint16_t>(block >> 16), static_cast<uint16_t>(block & 0xFFFF)}, offset};
  store(p.begin() + contents_at + index * sizeof(ItemPointerData), place);
  return {};
}

/// brin_xlog_insert_update, for the page of the tuple and for the range map.
result<void> insert_tuple(const pg::record& record, const pg::block_reference& reference,
                          const xl_brin_insert& insert, page& p) {
  const auto* target = record.block(0);
  if (target == nullptr) return fail(errc::corrupt, "the record does not name the tuple's page");
  if (insert.offnum == 0) return fail(errc::corrupt, "the tuple's offset number is 0");
  if (reference.id == 1)
    return set_summary_place(p, insert.pagesPerRange, insert.heapBlk, target->block, insert.offnum);
  if (record.opcode() & XLOG_BRIN_INIT_PAGE) init_page(p, BRIN_PAGETYPE_REGULAR);
  ZENITH_TRY(
      pg::page_add_item(p, reference.data, insert.offnum, pg::add_item_mode::overwrite, false));
  return {};
}

/// brin_xlog_update: an insertion, and the old tuple's page.
result<void> update_tuple(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto update, read_main<xl_brin_update>(record, SizeOfBrinUpdate));
  if (reference.id == 2) return pg::page_index_tuple_delete_no_compact(p, update.oldOffnum);
  return insert_tuple(record, reference, update.insert, p);
}

/// brin_xlog_revmap_extend: the metapage, and the new page of the range map.
result<void> extend_map(const pg::record& record, const pg::block_reference& reference, page& p) {
  if (reference.id == 1) {
    init_page(p, BRIN_PAGETYPE_REVMAP);
    return {};
  }
  ZENITH_TRY_ASSIGN(const auto extend,
                    read_main<xl_brin_revmap_extend>(record, SizeOfBrinRevmapExtend));
  auto meta = load<BrinMetaPageData>(p.begin() + contents_at);
  meta.lastRevmapPage = extend.targetBlk;
  put_meta(p, meta);
  return {};
}

/// brin_xlog_desummarize_page: the range map, and the page of the tuple.
result<void> desummarize(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto removed,
                    read_main<xl_brin_desummarize>(record, SizeOfBrinDesummarize));
  if (reference.id == 1) return pg::page_index_tuple_delete_no_compact(p, removed.regOffset);
  return set_summary_place(p, removed.pagesPerRange, removed.heapBlk, InvalidBlockNumber, 0);
}

result<void> apply_to_page(const pg::record& record, const pg::block_reference& reference,
                           page& p) {
  switch (record.opcode() & XLOG_BRIN_OPMASK) {
    case XLOG_BRIN_CREATE_INDEX:
      return create_index(record, p);
    case XLOG_BRIN_INSERT: {
      ZENITH_TRY_ASSIGN(const auto insert, read_main<xl_brin_insert>(record, SizeOfBrinInsert));
      return insert_tuple(record, reference, insert, p);
    }
    case XLOG_BRIN_UPDATE:
      return update_tuple(record, reference, p);
    case XLOG_BRIN_SAMEPAGE_UPDATE: {
      ZENITH_TRY_ASSIGN(const auto update, read_main<xl_brin_samepage_update>(record));
      return pg::page_index_tuple_overwrite(p, update.offnum, reference.data);
    }
    case XLOG_BRIN_REVMAP_EXTEND:
      return extend_map(record, reference, p);
    case XLOG_BRIN_DESUMMARIZE:
      return desummarize(record, reference, p);
    default:
      return fail(errc::unsupported, "the BRIN resource manager has no such operation");
  }
}

}  // namespace

result<void> apply_brin(const pg::record& record, const pg::block_reference* reference, const key&,
                        page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not name this page");
  ZENITH_TRY(apply_to_page(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
