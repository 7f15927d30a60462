// A checkpoint with a different value in every field.
#pragma once

#include "storage/postgres/checkpoint.hpp"

namespace zenith::testing {

inline pg::checkpoint sample_checkpoint() {
  pg::checkpoint c;
  c.redo = lsn{0x2000028};
  c.timeline = pg_timeline{2};
  c.previous_timeline = pg_timeline{1};
  c.full_page_writes = true;
  c.next_full_xid = 0x1'0000'02E6;
  c.next_oid = 24576;
  c.next_multixact = 7;
  c.next_multixact_offset = 13;
  c.oldest_xid = 717;
  c.oldest_xid_database = 1;
  c.oldest_multixact = 1;
  c.oldest_multixact_database = 5;
  c.time_s = 1'763'000'000;
  c.oldest_commit_ts_xid = 720;
  c.newest_commit_ts_xid = 742;
  c.oldest_active_xid = 741;
  return c;
}

}  // namespace zenith::testing
