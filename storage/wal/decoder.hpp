// decoder: WAL bytes in any chunking in, whole and checked records out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/postgres/wal_page.hpp"

namespace zenith::wal {

/// What every page header of a timeline's WAL must agree with.
struct wal_identity {
  system_identifier system{};
  uint32_t segment_size_bytes = 16 * 1024 * 1024;
};

/// From this LSN on the WAL carries this pg_timeline.
struct timeline_switch {
  pg_timeline number{};
  lsn start;

  bool operator==(const timeline_switch&) const = default;
};

/// A record as its contiguous bytes: page headers between its parts are taken out, CRC checked.
struct raw_record {
  lsn start;
  lsn end;  ///< where the next record may begin: aligned; after XLOG_SWITCH the next segment
  byte_view bytes;  ///< xl_tot_len bytes, valid until the next call on the decoder
};

/// Decodes WAL from one record boundary on. Never reads a clock, a file or a socket.
/// Invariant: everything before position() was whole records; a torn record at the end of what
/// was fed is simply not given out (it may go on in the next chunk, or be dropped by an
/// overwritten contrecord: page flag XLP_FIRST_IS_OVERWRITE_CONTRECORD).
class decoder {
 public:
  /// `start`: the aligned end of a whole record; at a page's start it is moved past the header.
  /// `previous`: where the record before it begins (checked against xl_prev), or 0/0: unknown.
  /// `history`: the pg_timelines of the WAL, ascending: each page then has to carry the one that
  /// had begun where the page starts. Empty: unknown; then they only never go down.
  decoder(wal_identity identity, lsn start, lsn previous,
          std::vector<timeline_switch> history = {});

  /// Appends bytes that follow what was fed before. The first feed begins at `start`, or at the
  /// start of the page that holds it (`at` tells). Error: invalid_argument where there is a gap;
  /// after next() has failed, its error again.
  result<void> feed(lsn at, byte_view data);

  /// The next whole record, or none until more is fed. Errors (corrupt: bad page header, header,
  /// CRC or back-link) name the LSN, what was expected and what came; the decoder stays there.
  result<std::optional<raw_record>> next();

  /// Where next() has failed: whether zeros stand there, in the place of a record's or page's
  /// header. WAL that was written so far ends like that in a segment file that was preallocated.
  bool failed_at_zeros() const { return failed_at_zeros_; }

  /// The end of the last whole record given out (start, at first).
  lsn position() const;
  /// The start of the last whole record given out (previous, at first).
  lsn last_record() const;
  /// The end of the bytes fed.
  lsn fed_until() const;
  /// Where next() goes on or has failed: the bytes before it are checked, or of the record that is
  /// being put together.
  lsn reached() const { return cursor_; }

 private:
  enum class place { first_page, record_start, inside_record };
  // What a step came to: go on, wait for more bytes, a record is ready, or failure_ is set.
  enum class step { again, wait, ready, failed };

  size_t available() const { return fed_until_ > cursor_ ? fed_until_ - cursor_ : 0; }
  // How much of the buffer lies before the cursor.
  size_t taken_bytes() const;
  // Gives back the memory of what was taken, where it is much.
  void release_taken();
  const std::byte* at_cursor() const { return buffer_.data() + (cursor_ - buffer_start_); }
  step fail_here(std::string message, byte_view zeros_from);
  step enter_page();
  step enter_first_page();
  result<void> check_timeline(uint32_t found) const;
  step begin_record();
  step take_part();
  step check_header(const std::byte* header);
  step finish_record(byte_view whole, lsn end);
  step drop_overwritten();

  wal_identity identity_;
  std::vector<timeline_switch> history_;
  lsn start_;
  lsn position_;
  lsn last_record_;
  lsn fed_until_;
  lsn cursor_;        // the first byte that is not yet taken into a record
  lsn buffer_start_;  // LSN of buffer_'s first byte; never after fed_until_
  bytes buffer_;      // what was fed from buffer_start_ on

  place place_ = place::first_page;
  lsn record_start_;             // of the record in hand
  uint32_t total_ = 0;           // its xl_tot_len
  bool header_checked_ = false;  // its whole header was there and is good
  bytes assembled_;              // its parts so far, where it crosses a page
  raw_record ready_;

  pg::wal_page_header page_;     // of the page entered last
  uint32_t least_timeline_ = 0;  // pg_timelines never go down from page to page
  lsn overwritten_;              // the record dropped before the one in hand, or 0/0
  std::optional<error> failure_;
  bool failed_at_zeros_ = false;
};

}  // namespace zenith::wal
