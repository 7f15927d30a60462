// decoder: WAL bytes in any chunking in, whole and checked records out.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::wal {

/// What every page header of a timeline's WAL must agree with.
struct wal_identity {
  system_identifier system{};
  uint32_t segment_size_bytes = 16 * 1024 * 1024;
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
  decoder(wal_identity identity, lsn start, lsn previous);

  /// Appends bytes that follow what was fed before. The first feed begins at `start`, or at the
  /// start of the page that holds it (`at` tells). Error: invalid_argument where there is a gap.
  result<void> feed(lsn at, byte_view data);

  /// The next whole record, or none until more is fed. Errors (corrupt: bad page header, header,
  /// CRC or back-link) name the LSN, what was expected and what came; the decoder stays there.
  result<std::optional<raw_record>> next();

  /// The end of the last whole record given out (start, at first).
  lsn position() const;
  /// The start of the last whole record given out (previous, at first).
  lsn last_record() const;
  /// The end of the bytes fed.
  lsn fed_until() const;

 private:
  wal_identity identity_;
  lsn position_;
  lsn last_record_;
  lsn buffer_start_;     // LSN of buffer_'s first byte
  bytes buffer_;         // bytes from buffer_start_ on
  size_t consumed_ = 0;  // bytes of buffer_ that no later record needs
  bytes assembled_;      // the record given out, where it crossed a page
};

}  // namespace zenith::wal
