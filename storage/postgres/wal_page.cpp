// WAL page headers and segment names, their layout checked against the server's own headers.
#include "storage/postgres/wal_page.hpp"

#include <fmt/format.h>

#include <charconv>

#include "storage/postgres/pg_headers.hpp"
extern "C" {
#include <access/xlog_internal.h>
#include <access/xlogrecord.h>
#include <catalog/pg_control.h>
#include <utils/memutils.h>
}
#include "storage/postgres/pg_headers_undef.hpp"

namespace zenith::pg {

static_assert(wal_page_magic == XLOG_PAGE_MAGIC && page_size_bytes == XLOG_BLCKSZ);
static_assert(wal_page_first_is_contrecord == XLP_FIRST_IS_CONTRECORD);
static_assert(wal_page_long_header == XLP_LONG_HEADER);
static_assert(wal_page_backup_blocks_removable == XLP_BKP_REMOVABLE);
static_assert(wal_page_first_is_overwrite_contrecord == XLP_FIRST_IS_OVERWRITE_CONTRECORD);
static_assert(wal_page_all_flags == XLP_ALL_FLAGS);
static_assert(sizeof(wal_page_header) == SizeOfXLogShortPHD);
static_assert(sizeof(wal_long_page_header) == SizeOfXLogLongPHD);
static_assert(offsetof(wal_page_header, info) == offsetof(XLogPageHeaderData, xlp_info));
static_assert(offsetof(wal_page_header, timeline) == offsetof(XLogPageHeaderData, xlp_tli));
static_assert(offsetof(wal_page_header, address) == offsetof(XLogPageHeaderData, xlp_pageaddr));
static_assert(offsetof(wal_page_header, remaining_bytes) ==
              offsetof(XLogPageHeaderData, xlp_rem_len));
static_assert(offsetof(wal_long_page_header, system) ==
              offsetof(XLogLongPageHeaderData, xlp_sysid));
static_assert(offsetof(wal_long_page_header, segment_size_bytes) ==
              offsetof(XLogLongPageHeaderData, xlp_seg_size));
static_assert(offsetof(wal_long_page_header, page_size_bytes) ==
              offsetof(XLogLongPageHeaderData, xlp_xlog_blcksz));
static_assert(sizeof(wal_record_header) == SizeOfXLogRecord);
static_assert(offsetof(wal_record_header, xid) == offsetof(XLogRecord, xl_xid));
static_assert(offsetof(wal_record_header, previous) == offsetof(XLogRecord, xl_prev));
static_assert(offsetof(wal_record_header, info) == offsetof(XLogRecord, xl_info));
static_assert(offsetof(wal_record_header, rmgr) == offsetof(XLogRecord, xl_rmid));
static_assert(offsetof(wal_record_header, crc) == offsetof(XLogRecord, xl_crc));
static_assert(RM_XLOG_ID == 0 && XLOG_SWITCH == 0x40 && XLOG_OVERWRITE_CONTRECORD == 0xD0);
static_assert(RM_MAX_BUILTIN_ID == 21 && RM_MIN_CUSTOM_ID == 128);
static_assert(max_record_size_bytes == MaxAllocSize);

bytes encode_page_header(lsn page_start, pg_timeline timeline, uint32_t remaining_bytes,
                         system_identifier system, uint32_t segment_size_bytes) {
  wal_long_page_header header;
  header.standard.timeline = static_cast<uint32_t>(timeline);
  header.standard.address = page_start.value();
  header.standard.remaining_bytes = remaining_bytes;
  if (remaining_bytes != 0) header.standard.info |= wal_page_first_is_contrecord;
  header.system = static_cast<uint64_t>(system);
  header.segment_size_bytes = segment_size_bytes;
  header.page_size_bytes = page_size_bytes;
  const size_t size = page_header_size_bytes(page_start, segment_size_bytes);
  if (size == long_page_header_size_bytes) header.standard.info |= wal_page_long_header;
  bytes encoded(size);
  std::memcpy(encoded.data(), &header, size);
  return encoded;
}

std::string segment_file_name(pg_timeline timeline, uint64_t number, uint32_t segment_size_bytes) {
  const uint64_t per_id = (uint64_t{1} << 32) / segment_size_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", static_cast<uint32_t>(timeline), number / per_id,
                     number % per_id);
}

std::optional<segment_name> parse_segment_file_name(std::string_view name,
                                                    uint32_t segment_size_bytes) {
  if (name.size() != 24) return std::nullopt;
  for (const char c : name)
    if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'F')) return std::nullopt;
  const auto part = [&](size_t index) {
    uint32_t value = 0;
    const char* start = name.data() + index * 8;
    std::from_chars(start, start + 8, value, 16);
    return value;
  };
  const uint64_t per_id = (uint64_t{1} << 32) / segment_size_bytes;
  if (part(0) == 0 || part(2) >= per_id) return std::nullopt;
  return segment_name{pg_timeline{part(0)}, uint64_t{part(1)} * per_id + part(2)};
}

}  // namespace zenith::pg
