// comparison: when two versions of a page count as the same.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"

namespace zenith::backup {

/// Where two pages first differ, of those bytes that count; none where they do not. Each gives an
/// offset in the page, and masks its own copies.
using difference = std::optional<uint32_t>;

/// A block of a main or init fork: each masked by what made it (mask.hpp). A sequence in a server's
/// own file is behind what WAL says of it, by the values that were logged ahead (sequence.c,
/// nextval_internal), or, after ALTER SEQUENCE SET LOGGED (SequenceChangePersistence), before it by
/// values that never are; it counts as the same.
difference compare_blocks(page ours, page theirs, block_number block);

/// What WAL has of a visibility map's page.
enum class map_logging : uint8_t {
  whole,
  /// CREATE DATABASE copied it with strategy wal_log: bufmgr.c, RelationCopyStorageUsingBuffer logs
  /// it as a page with a hole, in which all bits lie. A server's own file keeps them.
  without_bits,
};

/// A visibility map's page: but for LSN and checksum. A page of zeros is an empty map. Where the
/// bits were not logged, theirs may have more of them.
difference compare_visibility_maps(page ours, page theirs,
                                   map_logging logging = map_logging::whole);

/// Nothing in it, and no block of zeros either has more.
bool is_zero(const page& p);
bool is_empty_visibility_map(const page& p);

/// The header of a free space map's page is as PageInit leaves it, or all zeros.
bool is_free_space_map(const page& p);

/// Where the SLRUs end, and before which nothing is read any more (0: not known).
struct slru_bounds {
  uint32_t next_xid = 0;
  uint32_t next_multixact = 0;
  uint32_t next_multixact_offset = 0;
  uint32_t oldest_xid = 0;
  uint32_t oldest_multixact = 0;
  uint32_t oldest_commit_ts_xid = 0;
};
/// Whether an entry in use lies on the page: any before the next one, in the SLRU's own order.
bool slru_page_is_in_use(slru_kind slru, uint32_t page_number, const slru_bounds& bounds);
/// Whether the whole page lies before the oldest entry that anybody reads.
bool slru_page_is_past(slru_kind slru, uint32_t page_number, const slru_bounds& bounds);
/// Two pages in use: their entries before the next one.
difference compare_slru_pages(slru_kind slru, uint32_t page_number, page ours, page theirs,
                              const slru_bounds& bounds);

}  // namespace zenith::backup
