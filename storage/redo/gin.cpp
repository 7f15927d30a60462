// Redo of gin records (ginxlog.c): which page of a record changes how.
#include <fmt/format.h>

#include <cstring>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/gin_parts.hpp"
#include "storage/redo/index_tuple.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/ginblock.h>
#include <access/ginxlog.h>
#include <access/itup.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace gin {

static_assert(sizeof(GinPageOpaqueData) == sizeof(page_links));

result<page_links*> links_of(page& p) {
  constexpr size_t at = page_size_bytes - sizeof(page_links);
  if (pg::page_special(p) != at)
    return fail(errc::corrupt, fmt::format("not a gin page: its special space is at {}, not {}",
                                           pg::page_special(p), at));
  return reinterpret_cast<page_links*>(p.begin() + at);
}

void set_data_size(page& p, size_t size_bytes) {
  reinterpret_cast<PageHeader>(p.begin())->pd_lower =
      static_cast<uint16_t>(data_start + size_bytes);
}

namespace {

static_assert(data_start == MAXALIGN(SizeOfPageHeaderData) + MAXALIGN(sizeof(ItemPointerData)));

// GinInitPage.
void init_page(page& p, page_links links) {
  pg::page_init(p, sizeof(page_links));
  store(p.begin() + page_size_bytes - sizeof(page_links), links);
}

/// GinInitMetabuffer, then the record's metadata, which is `metadata`.
void init_meta(page& p, byte_view metadata) {
  init_page(p, {.right = InvalidBlockNumber, .max_offset = 0, .flags = GIN_META});
  std::memcpy(p.begin() + SizeOfPageHeaderData, metadata.data(), sizeof(GinMetaPageData));
  reinterpret_cast<PageHeader>(p.begin())->pd_lower =
      SizeOfPageHeaderData + sizeof(GinMetaPageData);
}

result<void> clear_incomplete_split(page& p) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->flags &= static_cast<uint16_t>(~GIN_INCOMPLETE_SPLIT);
  return {};
}

// ginRedoCreatePTree.
result<void> create_posting_tree(const pg::record& record, page& p) {
  record_reader reader(record.main_data);
  ZENITH_TRY_ASSIGN(const auto size, reader.take<uint32_t>());
  ZENITH_TRY_ASSIGN(const auto list, reader.take(size));
  if (size > max_data_size_bytes)
    return fail(errc::corrupt, fmt::format("a posting list of {} bytes does not fit a page", size));
  init_page(p, {.right = InvalidBlockNumber,
                .max_offset = 0,
                .flags = GIN_DATA | GIN_LEAF | GIN_COMPRESSED});
  std::memcpy(p.begin() + data_start, list.data(), list.size());
  set_data_size(p, size);
  return {};
}

// ginRedoInsertEntry: a tuple of the entry tree. `right_child`: InvalidBlockNumber on a leaf.
result<void> insert_entry(byte_view data, block_number right_child, page& p) {
  record_reader reader(data);
  ZENITH_TRY_ASSIGN(const auto head, reader.take(offsetof(ginxlogInsertEntry, tuple)));
  const auto number = load<uint16_t>(head.data() + offsetof(ginxlogInsertEntry, offset));
  const bool replaces = head[offsetof(ginxlogInsertEntry, isDelete)] != std::byte{0};
  ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
  if (right_child != InvalidBlockNumber) {
    ZENITH_TRY_ASSIGN(const auto item, pg::item_at(p, number));
    ZENITH_TRY(front_index_tuple(item));
    ItemPointerData link{.ip_blkid = {}, .ip_posid = InvalidOffsetNumber};
    BlockIdSet(&link.ip_blkid, right_child);
    store(item.data(), link);
  }
  if (replaces) ZENITH_TRY(pg::page_index_tuple_delete(p, number));
  ZENITH_TRY(pg::page_add_item(p, tuple, number, pg::add_item_mode::insert, false));
  return {};
}

std::byte* posting_item(page& p, size_t number) {
  return p.begin() + data_start + (number - 1) * sizeof(PostingItem);
}
constexpr size_t max_posting_items = max_data_size_bytes / sizeof(PostingItem);

/// ginRedoInsertData on an inner page of a posting tree; GinDataPageAddPostingItem.
result<void> insert_posting_item(byte_view data, block_number right_child, page& p) {
  ZENITH_TRY_ASSIGN(const auto insert,
                    read_front<ginxlogInsertDataInternal>(data, "a new posting item"));
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  const size_t count = links->max_offset;
  const size_t number = insert.offset;
  if (count >= max_posting_items || number == 0 || number > count)
    return fail(errc::corrupt,
                fmt::format("a posting item is to be inserted at {}, {} are there", number, count));
  auto* place = posting_item(p, number);
  auto old_item = load<PostingItem>(place);
  BlockIdSet(&old_item.child_blkno, right_child);
  std::memmove(place + sizeof(PostingItem), place, (count - number + 1) * sizeof(PostingItem));
  store(place, insert.newitem);
  store(place + sizeof(PostingItem), old_item);
  links->max_offset = static_cast<uint16_t>(count + 1);
  set_data_size(p, (count + 1) * sizeof(PostingItem));
  return {};
}

// GinPageDeletePostingItem.
result<void> delete_posting_item(size_t number, page& p) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  const size_t count = links->max_offset;
  if (number == 0 || number > count || count > max_posting_items)
    return fail(errc::corrupt,
                fmt::format("posting item {} is to be deleted, {} are there", number, count));
  std::memmove(posting_item(p, number), posting_item(p, number + 1),
               (count - number) * sizeof(PostingItem));
  links->max_offset = static_cast<uint16_t>(count - 1);
  set_data_size(p, (count - 1) * sizeof(PostingItem));
  return {};
}

// ginRedoInsert.
result<void> apply_insert(const pg::record& record, const pg::block_reference& reference, page& p) {
  if (reference.id == 1) return clear_incomplete_split(p);
  record_reader reader(record.main_data);
  ZENITH_TRY_ASSIGN(const auto flags, reader.take<uint16_t>());
  block_number right_child = InvalidBlockNumber;
  if ((flags & GIN_INSERT_ISLEAF) == 0) {
    ZENITH_TRY(reader.take<BlockIdData>());
    ZENITH_TRY_ASSIGN(const auto child, reader.take<BlockIdData>());
    right_child = BlockIdGetBlockNumber(&child);
  }
  if ((flags & GIN_INSERT_ISDATA) == 0) {
    ZENITH_TRY(links_of(p));
    return insert_entry(reference.data, right_child, p);
  }
  return (flags & GIN_INSERT_ISLEAF) != 0 ? recompress(reference.data, p)
                                          : insert_posting_item(reference.data, right_child, p);
}

// ginRedoDeletePage.
result<void> apply_delete_page(const pg::record& record, const pg::block_reference& reference,
                               page& p) {
  ZENITH_TRY_ASSIGN(const auto removal, read_main<ginxlogDeletePage>(record));
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  switch (reference.id) {
    case 0:
      links->flags |= GIN_DELETED;
      reinterpret_cast<PageHeader>(p.begin())->pd_prune_xid = removal.deleteXid;
      return {};
    case 1:
      return delete_posting_item(removal.parentOffset, p);
    case 2:
      links->right = removal.rightLink;
      return {};
    default:
      return fail(errc::corrupt, "the deletion of a page has no such block");
  }
}

/// Adds so many tuples, one behind the other, after the page's last one.
result<void> append_tuples(byte_view data, int64_t count, page& p) {
  record_reader reader(data);
  for (; count > 0; --count) {
    ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
    const auto number = static_cast<pg::offset_number>(pg::max_offset(p) + 1);
    ZENITH_TRY(pg::page_add_item(p, tuple, number, pg::add_item_mode::insert, false));
    ZENITH_TRY(reader.take(tuple.size()));
  }
  if (!reader.rest().empty())
    return fail(errc::corrupt, fmt::format("{} bytes follow the tuples", reader.rest().size()));
  return {};
}

// ginRedoUpdateMetapage.
result<void> apply_update_meta(const pg::record& record, const pg::block_reference& reference,
                               page& p) {
  ZENITH_TRY_ASSIGN(const auto update, read_main<ginxlogUpdateMeta>(record));
  if (reference.id == 0) {
    init_meta(p, record.main_data.subspan(offsetof(ginxlogUpdateMeta, metadata)));
    return {};
  }
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  if (update.ntuples > 0) {
    ZENITH_TRY(append_tuples(reference.data, update.ntuples, p));
    ++links->max_offset;
  } else {
    links->right = update.newRightlink;
  }
  return {};
}

// ginRedoInsertListPage.
result<void> apply_list_page(const pg::record& record, const pg::block_reference& reference,
                             page& p) {
  ZENITH_TRY_ASSIGN(const auto list, read_main<ginxlogInsertListPage>(record));
  const bool is_tail = list.rightlink == InvalidBlockNumber;
  init_page(p, {.right = list.rightlink,
                .max_offset = static_cast<uint16_t>(is_tail ? 1 : 0),
                .flags = static_cast<uint16_t>(GIN_LIST | (is_tail ? GIN_LIST_FULLROW : 0))});
  return append_tuples(reference.data, list.ntuples, p);
}

// ginRedoDeleteListPages.
result<void> apply_delete_list(const pg::record& record, const pg::block_reference& reference,
                               page& p) {
  ZENITH_TRY(read_main<ginxlogDeleteListPages>(record));
  if (reference.id == 0)
    init_meta(p, record.main_data.subspan(offsetof(ginxlogDeleteListPages, metadata)));
  else
    init_page(p, {.right = InvalidBlockNumber, .max_offset = 0, .flags = GIN_DELETED});
  return {};
}

// gin_redo.
result<void> dispatch(const pg::record& record, const pg::block_reference& reference, page& p) {
  switch (record.opcode()) {
    case XLOG_GIN_CREATE_PTREE:
      return create_posting_tree(record, p);
    case XLOG_GIN_INSERT:
      return apply_insert(record, reference, p);
    case XLOG_GIN_SPLIT:
      // The pages that are split carry images, which are restored before this.
      if (reference.id == 3) return clear_incomplete_split(p);
      return fail(errc::corrupt, "a split carries no image of this page");
    case XLOG_GIN_VACUUM_PAGE:
      return fail(errc::corrupt, "a vacuumed page carries no image");
    case XLOG_GIN_VACUUM_DATA_LEAF_PAGE:
      return recompress(reference.data, p);
    case XLOG_GIN_DELETE_PAGE:
      return apply_delete_page(record, reference, p);
    case XLOG_GIN_UPDATE_META_PAGE:
      return apply_update_meta(record, reference, p);
    case XLOG_GIN_INSERT_LISTPAGE:
      return apply_list_page(record, reference, p);
    case XLOG_GIN_DELETE_LISTPAGE:
      return apply_delete_list(record, reference, p);
    default:
      return fail(errc::unsupported, fmt::format("unknown opcode {:#04x}", record.opcode()));
  }
}

}  // namespace
}  // namespace gin

result<void> apply_gin(const pg::record& record, const pg::block_reference* reference, const key&,
                       page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not refer to this page");
  ZENITH_TRY(gin::dispatch(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

}  // namespace zenith::redo
