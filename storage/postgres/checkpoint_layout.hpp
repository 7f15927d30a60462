// The conversion between our checkpoint and PostgreSQL's struct. Comes after pg_control.h.
#pragma once

#include "storage/postgres/checkpoint.hpp"

namespace zenith::pg {

/// `raw`: the struct's own bytes, from which its bool is read (they may hold anything).
inline checkpoint from_layout(const CheckPoint& c, const std::byte* raw) {
  checkpoint out;
  out.redo = lsn{c.redo};
  out.timeline = pg_timeline{c.ThisTimeLineID};
  out.previous_timeline = pg_timeline{c.PrevTimeLineID};
  out.full_page_writes = raw[offsetof(CheckPoint, fullPageWrites)] != std::byte{0};
  out.next_full_xid = c.nextXid.value;
  out.next_oid = c.nextOid;
  out.next_multixact = c.nextMulti;
  out.next_multixact_offset = c.nextMultiOffset;
  out.oldest_xid = c.oldestXid;
  out.oldest_xid_database = c.oldestXidDB;
  out.oldest_multixact = c.oldestMulti;
  out.oldest_multixact_database = c.oldestMultiDB;
  out.time_s = c.time;
  out.oldest_commit_ts_xid = c.oldestCommitTsXid;
  out.newest_commit_ts_xid = c.newestCommitTsXid;
  out.oldest_active_xid = c.oldestActiveXid;
  return out;
}

/// Sets the fields of a struct whose bytes, padding and all, are zeros.
inline void to_layout(const checkpoint& c, CheckPoint& out) {
  out.redo = c.redo.value();
  out.ThisTimeLineID = static_cast<uint32_t>(c.timeline);
  out.PrevTimeLineID = static_cast<uint32_t>(c.previous_timeline);
  out.fullPageWrites = c.full_page_writes;
  out.nextXid.value = c.next_full_xid;
  out.nextOid = c.next_oid;
  out.nextMulti = c.next_multixact;
  out.nextMultiOffset = c.next_multixact_offset;
  out.oldestXid = c.oldest_xid;
  out.oldestXidDB = c.oldest_xid_database;
  out.oldestMulti = c.oldest_multixact;
  out.oldestMultiDB = c.oldest_multixact_database;
  out.time = c.time_s;
  out.oldestCommitTsXid = c.oldest_commit_ts_xid;
  out.newestCommitTsXid = c.newest_commit_ts_xid;
  out.oldestActiveXid = c.oldest_active_xid;
}

}  // namespace zenith::pg
