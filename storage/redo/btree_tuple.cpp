// Btree tuples and posting lists (nbtree.h, "Notes on B-Tree tuple format"; nbtdedup.c).
#include <fmt/format.h>

#include <cstring>

#include "storage/redo/btree_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/itup.h>
#include <access/nbtree.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::btree {
namespace {

static_assert(sizeof(BTPageOpaqueData) == sizeof(page_links));
static_assert(sizeof(IndexTupleData) == index_tuple_header_size);
static_assert(offsetof(IndexTupleData, t_info) == index_tuple_info_at);
static_assert(INDEX_SIZE_MASK == index_tuple_size_mask);
static_assert(sizeof(ItemPointerData) == tid_size_bytes);
static_assert(INDEX_SIZE_MASK < max_tuple_size_bytes);

IndexTupleData header_of(byte_view tuple) { return load<IndexTupleData>(tuple.data()); }

}  // namespace

result<page_links*> links_of(page& p) {
  ZENITH_TRY(pg::check_page_header(p));
  if (pg::page_special(p) != page_size_bytes - sizeof(page_links))
    return fail(errc::corrupt,
                fmt::format("not a btree page: its special space is at {}, not {}",
                            pg::page_special(p), page_size_bytes - sizeof(page_links)));
  return reinterpret_cast<page_links*>(p.begin() + page_size_bytes - sizeof(page_links));
}

void init_page(page& p, const page_links& links) {
  pg::page_init(p, sizeof(page_links));
  store(p.begin() + page_size_bytes - sizeof(page_links), links);
}

result<leaf_tuple> read_leaf_tuple(byte_view item) {
  leaf_tuple read;
  ZENITH_TRY_ASSIGN(read.tuple, front_index_tuple(item));
  const auto header = header_of(item);
  if ((header.t_info & INDEX_ALT_TID_MASK) == 0) {
    read.key_size_bytes = read.tuple.size();
    read.tids = read.tuple.first(tid_size_bytes);
    return read;
  }
  const uint16_t status = header.t_tid.ip_posid;
  if ((status & BT_IS_POSTING) == 0)
    return fail(errc::corrupt, "a pivot tuple stands where a leaf tuple is expected");
  read.is_posting = true;
  read.tid_count = status & BT_OFFSET_MASK;
  read.key_size_bytes = ItemPointerGetBlockNumberNoCheck(&header.t_tid);
  const auto size = read.tuple.size();
  if (read.tid_count == 0 || read.key_size_bytes < index_tuple_header_size ||
      read.key_size_bytes > size || read.tid_count * tid_size_bytes > size - read.key_size_bytes)
    return fail(errc::corrupt,
                fmt::format("a posting list of {} TIDs at byte {} does not fit a tuple of {} bytes",
                            read.tid_count, read.key_size_bytes, size));
  read.tids = read.tuple.subspan(read.key_size_bytes, read.tid_count * tid_size_bytes);
  return read;
}

result<byte_view> form_posting(const leaf_tuple& base, byte_view tids, tuple_buffer& into) {
  const size_t count = tids.size() / tid_size_bytes;
  const size_t size = count > 1 ? maxalign(base.key_size_bytes + tids.size()) : base.key_size_bytes;
  if (count == 0 || count > BT_OFFSET_MASK || size > INDEX_SIZE_MASK)
    return fail(errc::corrupt, fmt::format("a key of {} bytes with {} TIDs makes no tuple",
                                           base.key_size_bytes, count));
  auto* tuple = into.data.data();
  std::memcpy(tuple, base.tuple.data(), base.key_size_bytes);
  auto header = header_of(base.tuple);
  header.t_info =
      static_cast<uint16_t>((header.t_info & ~(INDEX_SIZE_MASK | INDEX_ALT_TID_MASK)) | size);
  if (count > 1) {
    header.t_info |= INDEX_ALT_TID_MASK;
    header.t_tid.ip_posid = static_cast<uint16_t>(count | BT_IS_POSTING);
    BlockIdSet(&header.t_tid.ip_blkid, static_cast<uint32_t>(base.key_size_bytes));
    const size_t used = base.key_size_bytes + tids.size();
    std::memcpy(tuple + base.key_size_bytes, tids.data(), tids.size());
    std::memset(tuple + used, 0, size - used);
  } else {
    std::memcpy(&header.t_tid, tids.data(), tid_size_bytes);
  }
  store(tuple, header);
  return byte_view{tuple, size};
}

result<void> swap_posting(byte_span new_tuple, byte_span posting, uint16_t offset) {
  ZENITH_TRY_ASSIGN(const auto fresh, read_leaf_tuple(new_tuple));
  ZENITH_TRY_ASSIGN(const auto list, read_leaf_tuple(posting));
  if (fresh.is_posting || !list.is_posting || offset == 0 || offset >= list.tid_count)
    return fail(errc::corrupt, fmt::format("a {} with {} TIDs cannot be split at {}",
                                           list.is_posting ? "posting list" : "plain tuple",
                                           list.tid_count, offset));
  auto* tids = posting.data() + list.key_size_bytes;
  auto* gap = tids + offset * tid_size_bytes;
  auto* last = tids + (list.tid_count - 1) * tid_size_bytes;
  std::array<std::byte, tid_size_bytes> largest;
  std::memcpy(largest.data(), last, tid_size_bytes);
  std::memmove(gap + tid_size_bytes, gap, static_cast<size_t>(last - gap));
  std::memcpy(gap, new_tuple.data(), tid_size_bytes);
  std::memcpy(new_tuple.data(), largest.data(), tid_size_bytes);
  return {};
}

}  // namespace zenith::redo::btree
