// Which SLRU pages hold what, and how ingest touches and truncates them.
#pragma once

#include <cstdint>

#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

// Entries a page (clog.c, CLOG_XACTS_PER_PAGE; commit_ts.c, COMMIT_TS_XACTS_PER_PAGE;
// multixact.c, MULTIXACT_OFFSETS_PER_PAGE and MULTIXACT_MEMBERS_PER_PAGE).
inline constexpr uint32_t xacts_per_page = page_size_bytes * 4;
inline constexpr uint32_t commit_ts_entry_size_bytes = 10;
inline constexpr uint32_t commit_ts_per_page = page_size_bytes / commit_ts_entry_size_bytes;
inline constexpr uint32_t multixact_offsets_per_page = page_size_bytes / 4;
inline constexpr uint32_t multixact_members_per_page = page_size_bytes / 20 * 4;

/// TransactionIdPrecedes (transam.c): modulo 2^32 among normal ids, as numbers otherwise.
bool transaction_id_precedes(uint32_t a, uint32_t b);
/// MultiXactIdPrecedes and MultiXactOffsetPrecedes (multixact.c): modulo 2^32.
inline bool multixact_precedes(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

/// Puts the record under an SLRU page. A page that does not exist starts from zeros, as
/// SlruPhysicalReadPage (slru.c) reads the pages of missing files during recovery: WAL after a
/// truncation may still touch what was cut off.
result<void> put_slru_record(change_sink& sink, slru_kind slru, uint32_t page_number);

/// SimpleLruTruncate (slru.c): takes away the pages of every segment that lies wholly before the
/// cutoff page. Nothing happens where `latest_page` is before the cutoff (apparent wraparound).
result<void> truncate_slru(change_sink& sink, slru_kind slru, uint32_t cutoff_page,
                           uint32_t latest_page);

/// Takes away the pages from first to last, both included.
result<void> remove_slru_pages(change_sink& sink, slru_kind slru, uint32_t first_page,
                               uint32_t last_page);

/// The segment that holds a page (SLRU_PAGES_PER_SEGMENT).
inline constexpr uint32_t slru_pages_per_segment = 32;
inline uint32_t slru_segment_of(uint32_t page_number) {
  return page_number / slru_pages_per_segment;
}

}  // namespace zenith::redo
