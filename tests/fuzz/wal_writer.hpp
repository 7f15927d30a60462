// wal_writer: lays records out as WAL, with page headers, back-links and CRCs as PostgreSQL does.
#pragma once

#include <vector>

#include "storage/wal/decoder.hpp"

namespace zenith::fuzz {

/// Writes from one LSN on; the bytes begin at the start of the page that holds it.
class wal_writer {
 public:
  /// `start`: the aligned end of a record.
  wal_writer(wal::wal_identity identity, lsn start);
  /// The record before begins at `previous`; pages carry this pg_timeline.
  wal_writer(wal::wal_identity identity, lsn start, lsn previous, pg_timeline number);

  struct placed {
    lsn start;
    size_t size_bytes;  ///< xl_tot_len
  };
  /// A whole record of this body.
  void append(uint8_t rmgr, uint8_t info, byte_view body, uint32_t xid = 0);
  /// A record whose rest was lost at its page's end, and the record that stands in for it. Nothing
  /// where the record fits into the page.
  void append_torn(uint8_t rmgr, byte_view body);

  lsn begin() const { return begin_; }
  lsn end() const { return begin_ + out_.size(); }
  /// The whole records.
  const std::vector<placed>& records() const { return records_; }
  bytes& data() { return out_; }

 private:
  bytes make(uint8_t rmgr, uint8_t info, byte_view body, uint32_t xid) const;
  size_t left_in_page() const { return page_size_bytes - out_.size() % page_size_bytes; }
  void begin_page(uint32_t remaining_bytes, uint16_t more_flags);
  /// Pads, and begins a page where there is none; gives where a record starts then.
  lsn begin_record();
  void put(byte_view raw);

  wal::wal_identity identity_;
  lsn begin_;
  lsn previous_;
  pg_timeline number_{1};
  bytes out_;
  std::vector<placed> records_;
};

}  // namespace zenith::fuzz
