// Redo of gist records (gistxlog.c): which page of a record changes how.
#include <fmt/format.h>

#include <cstring>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/index_tuple.hpp"
#include "storage/redo/record_parts.hpp"
#include "storage/redo/resource_managers.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/gist.h>
#include <access/gistxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace gist {
namespace {

constexpr block_number root_block = 0;  // GIST_ROOT_BLKNO

result<GISTPageOpaqueData*> links_of(page& p) {
  constexpr size_t at = page_size_bytes - sizeof(GISTPageOpaqueData);
  ZENITH_TRY(pg::check_page_header(p));
  if (pg::page_special(p) != at)
    return fail(errc::corrupt, fmt::format("not a gist page: its special space is at {}, not {}",
                                           pg::page_special(p), at));
  return reinterpret_cast<GISTPageOpaqueData*>(p.begin() + at);
}

PageGistNSN nsn_of(uint64_t position) {
  return {static_cast<uint32_t>(position >> 32), static_cast<uint32_t>(position)};
}

/// gistRedoClearFollowRight: the left half of a split whose downlink is there now.
result<void> clear_follow_right(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->nsn = nsn_of(record.end.value());
  links->flags &= static_cast<uint16_t>(~F_FOLLOW_RIGHT);
  return {};
}

/// Adds the tuples that these bytes hold, one behind the other, after the page's last one. Gives
/// how many.
result<size_t> append_tuples(byte_view data, page& p) {
  record_reader reader(data);
  size_t count = 0;
  for (; !reader.rest().empty(); ++count) {
    ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
    const auto number = static_cast<pg::offset_number>(pg::max_offset(p) + 1);
    ZENITH_TRY(pg::page_add_item(p, tuple, number, pg::add_item_mode::insert, false));
    ZENITH_TRY(reader.take(tuple.size()));
  }
  return count;
}

/// PageIndexMultiDelete of the items whose numbers these bytes hold. F_TUPLES_DELETED, which
/// nothing reads, stays as it is: 15.18 set it here, 15.20 neither does nor masks it.
result<void> delete_items(byte_view numbers, page& p) {
  const size_t count = numbers.size() / sizeof(uint16_t);
  std::array<pg::offset_number, page_size_bytes / sizeof(ItemIdData)> aligned;
  if (count > pg::max_offset(p))
    return fail(errc::corrupt, fmt::format("{} items are to be deleted from a page that has {}",
                                           count, pg::max_offset(p)));
  std::memcpy(aligned.data(), numbers.data(), numbers.size());
  return pg::page_index_multi_delete(p, {aligned.data(), count});
}

// gistRedoPageUpdateRecord, the page that is updated.
result<void> update_page(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto update, read_main<gistxlogPageUpdate>(record));
  ZENITH_TRY(links_of(p));
  record_reader reader(reference.data);
  size_t inserted = 0;
  ZENITH_TRY_ASSIGN(const auto numbers, reader.take(update.ntodelete * sizeof(uint16_t)));
  if (update.ntodelete == 1 && update.ntoinsert == 1) {
    // One tuple for another stays where it is, as gistplacetopage leaves it.
    ZENITH_TRY_ASSIGN(const auto tuple, front_index_tuple(reader.rest()));
    ZENITH_TRY(pg::page_index_tuple_overwrite(p, load<uint16_t>(numbers.data()), tuple));
    ZENITH_TRY(reader.take(tuple.size()));
    inserted = 1;
  } else if (update.ntodelete > 0) {
    ZENITH_TRY(delete_items(numbers, p));
  }
  ZENITH_TRY_ASSIGN(const auto appended, append_tuples(reader.rest(), p));
  inserted += appended;
  if (inserted != update.ntoinsert)
    return fail(errc::corrupt, fmt::format("{} tuples were inserted, the record has {}", inserted,
                                           update.ntoinsert));
  return {};
}

// gistRedoDeleteRecord.
result<void> delete_dead(const pg::record& record, page& p) {
  ZENITH_TRY_ASSIGN(const auto removal, read_main<gistxlogDelete>(record, SizeOfGistxlogDelete));
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  record_reader reader(record.main_data.subspan(SizeOfGistxlogDelete));
  if (!reader.rest().empty()) {
    ZENITH_TRY_ASSIGN(const auto numbers, reader.take(removal.ntodelete * sizeof(uint16_t)));
    ZENITH_TRY(delete_items(numbers, p));
  }
  links->flags &= static_cast<uint16_t>(~F_HAS_GARBAGE);
  return {};
}

/// gistxlogPageSplit. Its bools are read as bytes: a hostile record may hold no valid ones.
struct split_data {
  block_number right = 0;
  uint64_t nsn = 0;
  bool was_leaf = false;
  uint16_t page_count = 0;
  bool follow_right = false;
};
result<split_data> read_split(const pg::record& record) {
  const auto data = record.main_data;
  if (data.size() < sizeof(gistxlogPageSplit))
    return fail(errc::corrupt, fmt::format("a split needs {} bytes, {} are there",
                                           sizeof(gistxlogPageSplit), data.size()));
  const auto* from = data.data();
  return split_data{
      .right = load<block_number>(from + offsetof(gistxlogPageSplit, origrlink)),
      .nsn = load<uint64_t>(from + offsetof(gistxlogPageSplit, orignsn)),
      .was_leaf = data[offsetof(gistxlogPageSplit, origleaf)] != std::byte{0},
      .page_count = load<uint16_t>(from + offsetof(gistxlogPageSplit, npage)),
      .follow_right = data[offsetof(gistxlogPageSplit, markfollowright)] != std::byte{0}};
}

// gistRedoPageSplitRecord, one of the pages that the tuples are on now: references 1 and up.
result<void> split_page(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto split, read_split(record));
  const auto* first = record.block(1);
  const bool is_root = reference.block == root_block;
  const bool splits_root = first != nullptr && first->block == root_block;
  const bool is_last = reference.id == split.page_count;
  GISTPageOpaqueData links{};
  links.nsn = nsn_of(split.nsn);
  links.rightlink = split.right;
  links.gist_page_id = GIST_PAGE_ID;
  if (is_root) {
    links.rightlink = InvalidBlockNumber;
  } else {
    if (split.was_leaf) links.flags |= F_LEAF;
    if (!is_last) {
      const auto* next = record.block(static_cast<uint8_t>(reference.id + 1));
      if (next == nullptr)
        return fail(errc::corrupt, fmt::format("a split names {} pages, but no page {}",
                                               split.page_count, reference.id + 1));
      links.rightlink = next->block;
      if (!splits_root && split.follow_right) links.flags |= F_FOLLOW_RIGHT;
    }
  }
  pg::page_init(p, sizeof(links));
  store(p.begin() + page_size_bytes - sizeof(links), links);
  record_reader reader(reference.data);
  ZENITH_TRY_ASSIGN(const auto expected, reader.take<int32_t>());
  ZENITH_TRY_ASSIGN(const auto count, append_tuples(reader.rest(), p));
  if (static_cast<int64_t>(count) != expected)
    return fail(errc::corrupt,
                fmt::format("{} tuples are on a page, the record has {}", count, expected));
  return {};
}

// gistRedoPageDelete.
result<void> delete_page(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto removal,
                    read_main<gistxlogPageDelete>(record, SizeOfGistxlogPageDelete));
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  if (reference.id == 1) return pg::page_index_tuple_delete(p, removal.downlinkOffset);
  constexpr size_t lower = MAXALIGN(SizeOfPageHeaderData) + sizeof(GISTDeletedPageContents);
  if (pg::page_upper(p) < lower)
    return fail(errc::corrupt,
                fmt::format("a page that is to be deleted has tuples at {}", pg::page_upper(p)));
  links->flags |= F_DELETED;
  reinterpret_cast<PageHeader>(p.begin())->pd_lower = lower;
  store(p.begin() + MAXALIGN(SizeOfPageHeaderData),
        GISTDeletedPageContents{.deleteXid = removal.deleteXid});
  return {};
}

/// Whether this is the page whose split the record completes.
bool completes_split(const pg::record& record, const pg::block_reference& reference) {
  return (record.opcode() == XLOG_GIST_PAGE_UPDATE && reference.id == 1) ||
         (record.opcode() == XLOG_GIST_PAGE_SPLIT && reference.id == 0);
}

// gist_redo.
result<void> dispatch(const pg::record& record, const pg::block_reference& reference, page& p) {
  if (completes_split(record, reference)) return clear_follow_right(record, p);
  switch (record.opcode()) {
    case XLOG_GIST_PAGE_UPDATE:
      return update_page(record, reference, p);
    case XLOG_GIST_DELETE:
      return delete_dead(record, p);
    case XLOG_GIST_PAGE_SPLIT:
      return split_page(record, reference, p);
    case XLOG_GIST_PAGE_DELETE:
      return delete_page(record, reference, p);
    default:
      return fail(errc::unsupported, fmt::format("unknown opcode {:#04x}", record.opcode()));
  }
}

}  // namespace
}  // namespace gist

result<void> apply_gist(const pg::record& record, const pg::block_reference* reference, const key&,
                        page& p) {
  if (reference == nullptr) return fail(errc::corrupt, "the record does not refer to this page");
  ZENITH_TRY(gist::dispatch(record, *reference, p));
  pg::set_page_lsn(p, record.end);
  return {};
}

result<void> finish_gist_image(const pg::record& record, const pg::block_reference* reference,
                               const key&, page& p) {
  if (!gist::completes_split(record, *reference)) return {};
  return gist::clear_follow_right(record, p);
}

}  // namespace zenith::redo
