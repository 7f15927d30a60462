// wal_page: the headers of WAL pages and records as they lie on disk, and segment file names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::pg {

/// XLOG_PAGE_MAGIC of PostgreSQL 15.
inline constexpr uint16_t wal_page_magic = 0xD110;

/// Bits of wal_page_header::info (xlog_internal.h, XLP_*).
inline constexpr uint16_t wal_page_first_is_contrecord = 0x0001;
inline constexpr uint16_t wal_page_long_header = 0x0002;
inline constexpr uint16_t wal_page_backup_blocks_removable = 0x0004;
inline constexpr uint16_t wal_page_first_is_overwrite_contrecord = 0x0008;
inline constexpr uint16_t wal_page_all_flags = 0x000F;

/// XLogPageHeaderData (xlog_internal.h). Little-endian, 24 bytes, frozen.
///    0  u16  magic
///    2  u16  info, the bits above
///    4  u32  pg_timeline of the page's first record
///    8  u64  LSN of the page
///   16  u32  bytes of a record from earlier pages that still follow the header
///   20       padding
struct wal_page_header {
  uint16_t magic = wal_page_magic;
  uint16_t info = 0;
  uint32_t timeline = 0;
  uint64_t address = 0;
  uint32_t remaining_bytes = 0;
  uint32_t padding = 0;

  bool is_long() const { return (info & wal_page_long_header) != 0; }
  size_t size_bytes() const { return is_long() ? 40 : 24; }
};
static_assert(sizeof(wal_page_header) == 24);

/// XLogLongPageHeaderData (xlog_internal.h): on a segment's first page. 40 bytes, frozen.
///    0       the short header
///   24  u64  system identifier
///   32  u32  segment size
///   36  u32  WAL page size
struct wal_long_page_header {
  wal_page_header standard;
  uint64_t system = 0;
  uint32_t segment_size_bytes = 0;
  uint32_t page_size_bytes = 0;
};
static_assert(sizeof(wal_long_page_header) == 40);

inline constexpr size_t short_page_header_size_bytes = sizeof(wal_page_header);
inline constexpr size_t long_page_header_size_bytes = sizeof(wal_long_page_header);

/// XLogRecord (xlogrecord.h): each record's first bytes. Little-endian, 24 bytes, frozen.
///    0  u32  length of the whole record, this header included
///    4  u32  transaction id
///    8  u64  where the record before it begins
///   16  u8   info
///   17  u8   resource manager
///   18       padding (zero)
///   20  u32  CRC-32C of bytes 24..length, then of bytes 0..20
struct wal_record_header {
  uint32_t total_length_bytes = 0;
  uint32_t xid = 0;
  uint64_t previous = 0;
  uint8_t info = 0;
  uint8_t rmgr = 0;
  uint16_t padding = 0;
  uint32_t crc = 0;

  /// RmgrIdIsValid (rmgr.h): one of PostgreSQL 15's own, or one for extensions (128 and up).
  bool has_known_rmgr() const { return rmgr <= 21 || rmgr >= 128; }
  /// XLOG_SWITCH: the rest of the segment holds no records.
  bool is_switch() const { return rmgr == 0 && (info & 0xF0) == 0x40; }
  /// XLOG_CHECKPOINT_SHUTDOWN: what a clean stop ends the WAL with.
  bool is_shutdown_checkpoint() const { return rmgr == 0 && (info & 0xF0) == 0x00; }
  /// XLOG_OVERWRITE_CONTRECORD: stands in for a record whose rest was lost.
  bool is_overwrite_contrecord() const { return rmgr == 0 && (info & 0xF0) == 0xD0; }
};
static_assert(sizeof(wal_record_header) == 24);

inline constexpr size_t record_header_size_bytes = sizeof(wal_record_header);
/// What PostgreSQL 15 can allocate for a record at most (memutils.h, MaxAllocSize).
inline constexpr uint32_t max_record_size_bytes = 0x3FFFFFFF;

/// The CRC that a whole record's header must hold; `raw` is at least a header long.
inline uint32_t record_crc(byte_view raw) {
  uint32_t state = crc32c_feed(crc32c_start, raw.subspan(record_header_size_bytes));
  return crc32c_finish(crc32c_feed(state, raw.first(20)));
}

/// Whether it is a power of two from 1 MiB to 1 GiB (xlog_internal.h, IsValidWalSegSize).
constexpr bool is_valid_segment_size(uint64_t size_bytes) {
  return size_bytes >= 1024 * 1024 && size_bytes <= 1024 * 1024 * 1024 &&
         (size_bytes & (size_bytes - 1)) == 0;
}

/// Where the WAL page that holds a byte begins.
constexpr lsn wal_page_start(lsn at) { return lsn{at.value() & ~uint64_t{page_size_bytes - 1}}; }
/// Where the segment that holds a byte begins.
constexpr lsn segment_start(lsn at, uint32_t segment_size_bytes) {
  return lsn{at.value() & ~(uint64_t{segment_size_bytes} - 1)};
}
/// The size that PostgreSQL gives the header of the page that starts here.
constexpr size_t page_header_size_bytes(lsn page_start, uint32_t segment_size_bytes) {
  return segment_start(page_start, segment_size_bytes) == page_start ? long_page_header_size_bytes
                                                                     : short_page_header_size_bytes;
}
/// A position at a page's start moved past the header: where a record that begins there begins.
constexpr lsn past_page_header(lsn at, uint32_t segment_size_bytes) {
  return wal_page_start(at) == at ? at + page_header_size_bytes(at, segment_size_bytes) : at;
}

/// A page header as PostgreSQL writes it, long at a segment's start. `remaining_bytes`: what of a
/// record from earlier pages follows (then the page says so); 0 for none.
bytes encode_page_header(lsn page_start, pg_timeline timeline, uint32_t remaining_bytes,
                         system_identifier system, uint32_t segment_size_bytes);

/// What a segment file's name says.
struct segment_name {
  pg_timeline timeline{};
  uint64_t number = 0;  ///< LSN / segment size

  bool operator==(const segment_name&) const = default;
};

/// "000000010000000000000001" (xlog_internal.h, XLogFileName).
std::string segment_file_name(pg_timeline timeline, uint64_t number, uint32_t segment_size_bytes);
/// None for what is not exactly such a name.
std::optional<segment_name> parse_segment_file_name(std::string_view name,
                                                    uint32_t segment_size_bytes);

}  // namespace zenith::pg
