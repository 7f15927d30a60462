// Btree redo of deduplication, and of deletions that may leave part of a posting list.
#include <fmt/format.h>

#include <cstring>

#include "storage/redo/btree_parts.hpp"
#include "storage/redo/record_parts.hpp"

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/nbtree.h>
#include <access/nbtxlog.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::redo::btree {
namespace {

/// BTMaxItemSize for pages of our size: what a merged tuple may have at most.
constexpr size_t max_item_size_bytes =
    ((page_size_bytes - (24 + 3 * 4 + 3 * 6 + 7) / 8 * 8 - sizeof(page_links)) / 3) & ~size_t{7};
static_assert(max_item_size_bytes == 2704);

/// One group of tuples that become one (BTDedupStateData, without what redo does not need).
struct pending_tuple {
  leaf_tuple base;
  pg::offset_number base_number = 0;
  unsigned item_count = 0;
  size_t tids_size_bytes = 0;
  tuple_buffer tids;

  void start(const leaf_tuple& tuple, pg::offset_number number) {
    base = tuple;
    base_number = number;
    item_count = 1;
    tids_size_bytes = tuple.tids.size();
    std::memcpy(tids.data.data(), tuple.tids.data(), tuple.tids.size());
  }
  result<void> add(const leaf_tuple& tuple) {
    const auto size = tids_size_bytes + tuple.tids.size();
    if (maxalign(base.key_size_bytes + size) > max_item_size_bytes)
      return fail(errc::corrupt, fmt::format("tuples from item {} on make more than {} bytes",
                                             base_number, max_item_size_bytes));
    std::memcpy(tids.data.data() + tids_size_bytes, tuple.tids.data(), tuple.tids.size());
    tids_size_bytes = size;
    ++item_count;
    return {};
  }
  byte_view all_tids() const { return {tids.data.data(), tids_size_bytes}; }
};

/// Puts finished groups on the new page.
class deduplicated_page {
 public:
  explicit deduplicated_page(page& to) : to_(to) {}

  result<void> add(byte_view item) {
    const auto number = static_cast<pg::offset_number>(pg::max_offset(to_) + 1);
    ZENITH_TRY(pg::page_add_item(to_, item, number, pg::add_item_mode::insert, false));
    return {};
  }
  result<void> finish(const pending_tuple& group) {
    if (group.item_count == 1) return add(group.base.tuple);
    ++merged_count_;
    ZENITH_TRY_ASSIGN(const auto merged, form_posting(group.base, group.all_tids(), buffer_));
    return add(merged);
  }
  size_t merged_count() const { return merged_count_; }

 private:
  page& to_;
  size_t merged_count_ = 0;
  tuple_buffer buffer_;
};

/// The intervals of a deduplication record: which tuples become one.
class interval_list {
 public:
  interval_list(byte_view data, size_t count) : data_(data), count_(count) {}
  size_t count() const { return count_; }
  /// Whether one more tuple belongs to this group, given how many groups were merged before it.
  bool wants_more(size_t merged, const pending_tuple& group) const {
    if (merged >= count_) return false;
    const auto interval = load<BTDedupInterval>(data_.data() + merged * sizeof(BTDedupInterval));
    return interval.baseoff == group.base_number && group.item_count < interval.nitems;
  }

 private:
  byte_view data_;
  size_t count_;
};

/// _bt_update_posting: the TIDs of one posting list without those at these places, then
/// PageIndexTupleOverwrite. Takes its part of the record from the reader.
result<void> update_posting(page& p, pg::offset_number number, record_reader& reader) {
  ZENITH_TRY_ASSIGN(const auto deleted_count, reader.take<uint16_t>());
  ZENITH_TRY_ASSIGN(const auto deleted, reader.take(deleted_count * sizeof(uint16_t)));
  ZENITH_TRY_ASSIGN(const auto item, pg::item_at(std::as_const(p), number));
  ZENITH_TRY_ASSIGN(const auto tuple, read_leaf_tuple(item));
  if (!tuple.is_posting)
    return fail(errc::corrupt, fmt::format("item {} has no posting list to shorten", number));
  tuple_buffer kept;
  size_t kept_size = 0;
  size_t next = 0;
  for (size_t i = 0; i < tuple.tid_count; ++i) {
    if (next < deleted_count && load<uint16_t>(deleted.data() + next * sizeof(uint16_t)) == i) {
      ++next;
      continue;
    }
    std::memcpy(kept.data.data() + kept_size, tuple.tids.data() + i * tid_size_bytes,
                tid_size_bytes);
    kept_size += tid_size_bytes;
  }
  if (next != deleted_count || kept_size == 0)
    return fail(errc::corrupt,
                fmt::format("{} TIDs are to be deleted from item {}, which has {}; {} were found",
                            deleted_count, number, tuple.tid_count, next));
  tuple_buffer buffer;
  ZENITH_TRY_ASSIGN(const auto shorter,
                    form_posting(tuple, byte_view{kept.data.data(), kept_size}, buffer));
  return pg::page_index_tuple_overwrite(p, number, shorter);
}

}  // namespace

// btree_xlog_dedup.
result<void> deduplicate(const pg::record& record, const pg::block_reference& reference, page& p) {
  ZENITH_TRY_ASSIGN(const auto dedup, read_main<xl_btree_dedup>(record, SizeOfBtreeDedup));
  record_reader reader(reference.data);
  ZENITH_TRY_ASSIGN(const auto data, reader.take(dedup.nintervals * sizeof(BTDedupInterval)));
  const interval_list intervals(data, dedup.nintervals);
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));

  page fresh;
  auto fresh_links = *links;
  fresh_links.flags &= static_cast<uint16_t>(~BTP_HAS_GARBAGE);
  init_page(fresh, fresh_links);
  deduplicated_page out(fresh);
  const auto& before = std::as_const(p);
  pg::offset_number number = P_HIKEY;
  if (links->next != P_NONE) {
    ZENITH_TRY_ASSIGN(const auto high_key, pg::item_at(before, P_HIKEY));
    ZENITH_TRY(out.add(high_key));
    number = P_FIRSTKEY;
  }

  pending_tuple group;
  const auto last = pg::max_offset(p);
  if (number > last) return fail(errc::corrupt, "a page without tuples cannot be deduplicated");
  for (; number <= last; ++number) {
    ZENITH_TRY_ASSIGN(const auto item, pg::item_at(before, number));
    ZENITH_TRY_ASSIGN(const auto tuple, read_leaf_tuple(item));
    if (group.item_count > 0 && intervals.wants_more(out.merged_count(), group)) {
      ZENITH_TRY(group.add(tuple));
      continue;
    }
    if (group.item_count > 0) ZENITH_TRY(out.finish(group));
    group.start(tuple, number);
  }
  ZENITH_TRY(out.finish(group));
  if (out.merged_count() != intervals.count())
    return fail(errc::corrupt, fmt::format("{} groups of tuples were merged, the record has {}",
                                           out.merged_count(), intervals.count()));
  p = fresh;
  return {};
}

// btree_xlog_vacuum and btree_xlog_delete: shortens posting lists first, then deletes items.
result<void> delete_items(const pg::block_reference& reference, uint16_t deleted_count,
                          uint16_t updated_count, page& p) {
  ZENITH_TRY(links_of(p));
  record_reader reader(reference.data);
  ZENITH_TRY_ASSIGN(const auto deleted, reader.take(deleted_count * sizeof(uint16_t)));
  ZENITH_TRY_ASSIGN(const auto updated, reader.take(updated_count * sizeof(uint16_t)));
  for (size_t i = 0; i < updated_count; ++i)
    ZENITH_TRY(update_posting(p, load<uint16_t>(updated.data() + i * sizeof(uint16_t)), reader));

  if (deleted_count > 0) {
    std::array<pg::offset_number, page_size_bytes / sizeof(ItemIdData)> numbers;
    if (deleted_count > pg::max_offset(p))
      return fail(errc::corrupt, fmt::format("{} items are to be deleted from a page that has {}",
                                             deleted_count, pg::max_offset(p)));
    std::memcpy(numbers.data(), deleted.data(), deleted.size());
    ZENITH_TRY(pg::page_index_multi_delete(p, {numbers.data(), deleted_count}));
  }
  ZENITH_TRY_ASSIGN(auto* links, links_of(p));
  links->flags &= static_cast<uint16_t>(~BTP_HAS_GARBAGE);
  return {};
}

}  // namespace zenith::redo::btree
