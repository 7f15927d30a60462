// When two versions of a page count as the same.
#include "storage/backup/comparison.hpp"

#include <algorithm>
#include <cstring>

#include "storage/postgres/mask.hpp"
#include "storage/postgres/page_items.hpp"
#include "storage/postgres/page_kind.hpp"
#include "storage/postgres/slru.hpp"

namespace zenith::backup {

namespace {

difference offset_of(const std::optional<pg::page_difference>& found) {
  if (!found) return std::nullopt;
  return found->offset;
}

difference first_difference(const page& ours, const page& theirs) {
  return offset_of(pg::first_difference(ours, theirs));
}

// bufpage.h, PageHeaderData: pd_lsn is its first 8 bytes, pd_checksum the next 2.
void mask_lsn_and_checksum(page& p) { std::memset(p.begin(), 0, 10); }

// The tuple of a sequence (sequence.h, FormData_pg_sequence_data).
struct sequence_data {
  int64_t last_value = 0;
  int64_t log_count = 0;  ///< values that may still be given out without a WAL record
  bool is_called = false;
};
constexpr size_t sequence_data_size_bytes = 17;
constexpr int64_t logged_ahead_max = 32;  // sequence.c, SEQ_LOG_VALS

// The bytes of the one tuple's data, past its header; empty where the page has no such tuple.
byte_span sequence_tuple(page& p) {
  auto item = pg::item_at(p, 1);
  constexpr size_t header_length_offset = 22;  // htup_details.h, t_hoff
  if (!item || item->size() <= header_length_offset) return {};
  const auto header = static_cast<size_t>((*item)[header_length_offset]);
  if (header + sequence_data_size_bytes > item->size()) return {};
  return item->subspan(header, sequence_data_size_bytes);
}

sequence_data sequence_data_of(byte_view tuple) {
  return {load<int64_t>(&tuple[offsetof(sequence_data, last_value)]),
          load<int64_t>(&tuple[offsetof(sequence_data, log_count)]),
          tuple[offsetof(sequence_data, is_called)] != std::byte{0}};
}

// Whether a whole increment lies between two values that are so many calls of nextval apart.
bool is_apart(int64_t later, int64_t earlier, int64_t calls) {
  int64_t distance = 0;
  return calls >= 1 && calls <= logged_ahead_max &&
         !__builtin_sub_overflow(later, earlier, &distance) && distance != 0 &&
         distance % calls == 0;
}

// nextval_internal logs a value some calls ahead, with a count of 0; the server's own page counts
// down to it. SequenceChangePersistence logs the page as it is, count and all, and the calls that
// the count still allows are never logged.
bool is_same_sequence(const sequence_data& logged, const sequence_data& own) {
  if (!logged.is_called || !own.is_called) return false;
  if (logged.log_count < 0 || own.log_count < 0) return false;
  return logged.log_count == 0
             ? is_apart(logged.last_value, own.last_value, own.log_count)
             : is_apart(own.last_value, logged.last_value, logged.log_count - own.log_count);
}

void mask_values_logged_ahead(page& ours, page& theirs) {
  const byte_span logged = sequence_tuple(ours);
  const byte_span own = sequence_tuple(theirs);
  if (logged.empty() || own.empty()) return;
  if (!is_same_sequence(sequence_data_of(logged), sequence_data_of(own))) return;
  std::ranges::fill(logged, std::byte{0});
  std::ranges::fill(own, std::byte{0});
}

// A map's page before anything was set in it is a page of zeros, or one that PageInit made.
void init_if_new(page& p) {
  if (pg::page_is_new(p)) pg::page_init(p, 0);
}

uint32_t entries_per_page(slru_kind slru) {
  switch (slru) {
    case slru_kind::xact:
      return pg::xacts_per_page;
    case slru_kind::multixact_offsets:
      return pg::multixact_offsets_per_page;
    case slru_kind::multixact_members:
      return pg::multixact_members_per_page;
    case slru_kind::commit_ts:
      return pg::commit_ts_per_page;
  }
  return 1;
}

uint32_t next_entry(slru_kind slru, const slru_bounds& bounds) {
  if (slru == slru_kind::multixact_offsets) return bounds.next_multixact;
  if (slru == slru_kind::multixact_members) return bounds.next_multixact_offset;
  return bounds.next_xid;
}

// How many of the page's entries come before the next one, modulo 2^32; negative: none.
int32_t entries_before_next(slru_kind slru, uint32_t page_number, const slru_bounds& bounds) {
  return static_cast<int32_t>(next_entry(slru, bounds) - page_number * entries_per_page(slru));
}

void zero_from(page& p, size_t offset) {
  std::memset(p.begin() + offset, 0, page_size_bytes - offset);
}

// Keeps the first `count` entries of the page, fewer than it holds.
void keep_entries(slru_kind slru, uint32_t count, page& p) {
  switch (slru) {
    case slru_kind::xact: {  // two bits each, from the lowest up (clog.c, CLOG_BITS_PER_XACT)
      const size_t byte = count / 4;
      p.data[byte] &= static_cast<std::byte>((1u << (count % 4 * 2)) - 1);
      return zero_from(p, byte + 1);
    }
    case slru_kind::multixact_offsets:
      return zero_from(p, size_t{count} * 4);
    case slru_kind::commit_ts:
      return zero_from(p, size_t{count} * pg::commit_ts_entry_size_bytes);
    case slru_kind::multixact_members: {  // groups of 4 flag bytes and 4 xids (multixact.c)
      constexpr size_t group_bytes = 20;
      const size_t group = count / 4 * group_bytes;
      const size_t in_group = count % 4;
      std::memset(p.begin() + group + in_group, 0, 4 - in_group);
      return zero_from(p, group + 4 + in_group * 4);
    }
  }
}

}  // namespace

difference compare_blocks(page ours, page theirs, block_number block) {
  const pg::page_kind kind = pg::kind_of(ours, block);
  if (kind != pg::kind_of(theirs, block)) return first_difference(ours, theirs);
  if (kind == pg::page_kind::sequence) mask_values_logged_ahead(ours, theirs);
  pg::mask_never_logged(kind, ours);
  pg::mask_never_logged(kind, theirs);
  return offset_of(pg::first_difference(pg::mask_of(kind), block, ours, theirs));
}

difference compare_visibility_maps(page ours, page theirs, map_logging logging) {
  for (page* p : {&ours, &theirs}) {
    init_if_new(*p);
    mask_lsn_and_checksum(*p);
  }
  page empty;
  init_if_new(empty);
  if (logging == map_logging::without_bits)
    for (size_t i = pg::page_lower(empty); i < page_size_bytes; ++i) theirs.data[i] &= ours.data[i];
  return first_difference(ours, theirs);
}

bool is_zero(const page& p) {
  return std::ranges::all_of(p.data, [](std::byte b) { return b == std::byte{0}; });
}

bool is_empty_visibility_map(const page& p) { return !compare_visibility_maps(p, page{}); }

bool is_free_space_map(const page& p) {
  page expected;
  pg::page_init(expected, 0);
  page found = p;
  init_if_new(found);
  for (page* one : {&expected, &found}) {
    mask_lsn_and_checksum(*one);
    zero_from(*one, pg::page_lower(expected));
  }
  return !first_difference(expected, found);
}

bool slru_page_is_in_use(slru_kind slru, uint32_t page_number, const slru_bounds& bounds) {
  return entries_before_next(slru, page_number, bounds) > 0;
}

bool slru_page_is_past(slru_kind slru, uint32_t page_number, const slru_bounds& bounds) {
  uint32_t oldest = 0;
  switch (slru) {
    case slru_kind::xact:
      oldest = bounds.oldest_xid;
      break;
    case slru_kind::multixact_offsets:
      oldest = bounds.oldest_multixact;
      break;
    case slru_kind::commit_ts:
      // None is readable yet (commit_ts.c, TransactionIdGetCommitTsData).
      if (bounds.oldest_commit_ts_xid == 0) return true;
      oldest = bounds.oldest_commit_ts_xid;
      break;
    case slru_kind::multixact_members:
      return false;  // the oldest offset is not known here
  }
  return pg::slru_page_precedes(slru, page_number, oldest / entries_per_page(slru));
}

difference compare_slru_pages(slru_kind slru, uint32_t page_number, page ours, page theirs,
                              const slru_bounds& bounds) {
  const int32_t count = entries_before_next(slru, page_number, bounds);
  if (count < static_cast<int32_t>(entries_per_page(slru))) {
    keep_entries(slru, static_cast<uint32_t>(std::max(count, 0)), ours);
    keep_entries(slru, static_cast<uint32_t>(std::max(count, 0)), theirs);
  }
  return first_difference(ours, theirs);
}

}  // namespace zenith::backup
