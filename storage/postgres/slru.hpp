// slru: how many entries the pages of the simple LRUs hold, which come before others, which go.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"

namespace zenith::pg {

// Entries a page (clog.c, CLOG_XACTS_PER_PAGE; commit_ts.c, COMMIT_TS_XACTS_PER_PAGE;
// multixact.c, MULTIXACT_OFFSETS_PER_PAGE and MULTIXACT_MEMBERS_PER_PAGE).
inline constexpr uint32_t xacts_per_page = page_size_bytes * 4;
inline constexpr uint32_t commit_ts_entry_size_bytes = 10;
inline constexpr uint32_t commit_ts_per_page = page_size_bytes / commit_ts_entry_size_bytes;
inline constexpr uint32_t multixact_offsets_per_page = page_size_bytes / 4;
inline constexpr uint32_t multixact_members_per_page = page_size_bytes / 20 * 4;

/// Pages a file (slru.h, SLRU_PAGES_PER_SEGMENT).
inline constexpr uint32_t slru_pages_per_segment = 32;
/// The segment that holds a page.
constexpr uint32_t slru_segment_of(uint32_t page_number) {
  return page_number / slru_pages_per_segment;
}

/// TransactionIdPrecedes (transam.c): modulo 2^32 among normal ids, as numbers otherwise.
bool transaction_id_precedes(uint32_t a, uint32_t b);
/// MultiXactIdPrecedes and MultiXactOffsetPrecedes (multixact.c): modulo 2^32.
inline bool multixact_precedes(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

/// The SLRU's PagePrecedes: the first entry of page a is older than the first and last of page b.
bool slru_page_precedes(slru_kind slru, uint32_t a, uint32_t b);

/// SlruMayDeleteSegment (slru.c): the whole segment that holds this page is older than the cutoff
/// page. (PostgreSQL cuts the members' SLRU by segment numbers instead.)
bool may_delete_slru_segment(slru_kind slru, uint32_t page_number, uint32_t cutoff_page);

}  // namespace zenith::pg
