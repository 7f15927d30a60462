// How ingest touches and truncates the pages of SLRUs.
#pragma once

#include <cstdint>

#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/slru.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::redo {

using pg::commit_ts_entry_size_bytes;
using pg::commit_ts_per_page;
using pg::multixact_members_per_page;
using pg::multixact_offsets_per_page;
using pg::multixact_precedes;
using pg::slru_pages_per_segment;
using pg::slru_segment_of;
using pg::transaction_id_precedes;
using pg::xacts_per_page;

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

}  // namespace zenith::redo
