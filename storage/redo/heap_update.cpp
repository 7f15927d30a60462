// Redo of heap updates (heapam.c, heap_xlog_update): the old tuple's page and the new one's.
#include <fmt/format.h>

#include "storage/postgres/page_items.hpp"
#include "storage/redo/heap_redo.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/heapam_xlog.h>
#include <access/htup_details.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo {
namespace {

/// The old tuple as the record leaves it; its contents, from t_hoff on, do not change.
result<byte_view> update_old_tuple(const pg::record& record, const xl_heap_update& update,
                                   block_number new_block, page& p) {
  ZENITH_TRY_ASSIGN(const auto tuple, tuple_at(p, update.old_offnum));
  auto header = load_header(tuple);
  header.clear_xmax_bits();
  header.set_hot_updated((record.opcode() & XLOG_HEAP_OPMASK) == XLOG_HEAP_HOT_UPDATE);
  header.set_infobits(update.old_infobits_set);
  header.xmax = update.old_xmax;
  header.set_first_command();
  header.set_ctid(new_block, update.new_offnum);
  store_header(tuple, header);
  set_prunable(p, record.xid);
  if (update.flags & XLH_UPDATE_OLD_ALL_VISIBLE_CLEARED) clear_all_visible(p);
  return tuple;
}

/// What the new tuple takes from the old one. Empty where the record holds all of it.
struct shared_parts {
  byte_view prefix;  ///< follows the new tuple's header and null bitmap
  byte_view suffix;  ///< the tuple's end
};

/// Reads the lengths at the front of the record's data for the new page.
result<shared_parts> take_shared_parts(const xl_heap_update& update, byte_view old_tuple,
                                       record_reader& data) {
  shared_parts shared;
  constexpr auto from_old = XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD;
  if (!(update.flags & from_old)) return shared;
  if (old_tuple.empty())
    return fail(errc::corrupt, "the new tuple takes a part of an old one on another page");
  const auto misfit = [&] {
    return fail(errc::corrupt, fmt::format("the new tuple takes more of the old one than its {} "
                                           "bytes",
                                           old_tuple.size()));
  };
  if (update.flags & XLH_UPDATE_PREFIX_FROM_OLD) {
    ZENITH_TRY_ASSIGN(const size_t length, data.take<uint16_t>());
    const size_t contents_at = load_header(old_tuple).hoff;
    if (contents_at + length > old_tuple.size()) return misfit();
    shared.prefix = old_tuple.subspan(contents_at, length);
  }
  if (update.flags & XLH_UPDATE_SUFFIX_FROM_OLD) {
    ZENITH_TRY_ASSIGN(const size_t length, data.take<uint16_t>());
    if (length > old_tuple.size()) return misfit();
    shared.suffix = old_tuple.last(length);
  }
  return shared;
}

result<void> add_new_tuple(const pg::record& record, const xl_heap_update& update,
                           const pg::block_reference& reference, byte_view old_tuple, page& p) {
  record_reader data(reference.data);
  ZENITH_TRY_ASSIGN(const auto shared, take_shared_parts(update, old_tuple, data));
  ZENITH_TRY_ASSIGN(const auto logged, data.take(SizeOfHeapHeader));
  auto header = new_header(logged);
  header.xmin = record.xid;
  header.set_first_command();
  header.xmax = update.new_xmax;
  header.set_ctid(reference.block, update.new_offnum);

  tuple_builder tuple;
  if (!shared.prefix.empty()) {
    if (header.hoff < tuple_header_size_bytes)
      return fail(errc::corrupt, fmt::format("the new tuple's t_hoff is {}", header.hoff));
    ZENITH_TRY_ASSIGN(const auto bitmap, data.take(header.hoff - tuple_header_size_bytes));
    ZENITH_TRY(tuple.append(bitmap));
    ZENITH_TRY(tuple.append(shared.prefix));
  }
  ZENITH_TRY(tuple.append(data.rest()));
  ZENITH_TRY(tuple.append(shared.suffix));
  ZENITH_TRY(add_tuple(p, tuple.finish(header), update.new_offnum));
  if (update.flags & XLH_UPDATE_NEW_ALL_VISIBLE_CLEARED) clear_all_visible(p);
  return {};
}

}  // namespace

tuple_header new_header(byte_view logged) {
  tuple_header header;
  header.infomask2 = load<uint16_t>(logged.data() + offsetof(xl_heap_header, t_infomask2));
  header.infomask = load<uint16_t>(logged.data() + offsetof(xl_heap_header, t_infomask));
  header.hoff = load<uint8_t>(logged.data() + offsetof(xl_heap_header, t_hoff));
  return header;
}

result<void> apply_update(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto update, read_main<xl_heap_update>(record, SizeOfHeapUpdate));
  const auto* new_reference = record.block(0);
  if (new_reference == nullptr || reference.id > 1)
    return fail(errc::corrupt, "the record does not name the pages of an update");
  const bool same_page = record.block(1) == nullptr;
  byte_view old_tuple;
  if (same_page || reference.id == 1) {
    ZENITH_TRY_ASSIGN(old_tuple, update_old_tuple(record, update, new_reference->block, p));
    if (!same_page) return {};
  } else if (record.opcode() & XLOG_HEAP_INIT_PAGE) {
    pg::page_init(p, 0);
  }
  return add_new_tuple(record, update, reference, old_tuple, p);
}

}  // namespace zenith::redo
