// checkpoint: what a checkpoint record says, and the record that a clean shutdown writes.
#pragma once

#include <cstdint>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::pg {

/// CheckPoint (pg_control.h): the main data of CHECKPOINT_SHUTDOWN and CHECKPOINT_ONLINE, copied
/// into pg_control.
struct checkpoint {
  lsn redo;  ///< where recovery from this checkpoint begins; of a shutdown one: the record itself
  pg_timeline timeline{};
  pg_timeline previous_timeline{};  ///< differs where this record begins a timeline
  bool full_page_writes = false;
  uint64_t next_full_xid = 0;  ///< with its epoch in the upper half
  uint32_t next_oid = 0;
  uint32_t next_multixact = 0;
  uint32_t next_multixact_offset = 0;
  uint32_t oldest_xid = 0;
  uint32_t oldest_xid_database = 0;
  uint32_t oldest_multixact = 0;
  uint32_t oldest_multixact_database = 0;
  int64_t time_s = 0;  ///< seconds since 1970-01-01 UTC (pg_time_t)
  uint32_t oldest_commit_ts_xid = 0;
  uint32_t newest_commit_ts_xid = 0;
  uint32_t oldest_active_xid = 0;  ///< 0 in a shutdown checkpoint

  bool operator==(const checkpoint&) const = default;
};

inline constexpr size_t checkpoint_size_bytes = 88;

/// The record's main data; its padding is zeros, as PostgreSQL's is.
bytes encode_checkpoint(const checkpoint& c);
/// Takes at least checkpoint_size_bytes. Error: corrupt.
result<checkpoint> decode_checkpoint(byte_view main_data);

/// Length of the record below, not aligned: header, short main data header, main data.
inline constexpr size_t shutdown_checkpoint_record_size_bytes = 24 + 2 + checkpoint_size_bytes;

/// A CHECKPOINT_SHUTDOWN record whole, CRC set, as it lies in WAL where it crosses no page.
/// `previous`: where the record before it begins (followers check it).
bytes build_shutdown_checkpoint_record(const checkpoint& c, lsn previous);

}  // namespace zenith::pg
