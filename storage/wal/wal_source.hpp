// wal_source: reading a timeline's WAL bytes by LSN, wherever they are kept, and finding records.
#pragma once

#include "storage/base/bytes.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/wal/decoder.hpp"

namespace zenith::wal {

/// WAL bytes as PostgreSQL wrote them, page headers and all. Thread-safe.
class wal_source {
 public:
  virtual ~wal_source() = default;
  /// The first LSN that is kept and the end of what is there.
  virtual lsn begin() const = 0;
  virtual lsn end() const = 0;
  /// Fills the whole span with the bytes from `at` on. Errors: out_of_range, io.
  virtual result<void> read(lsn at, byte_span into) const = 0;
};

struct record_place {
  lsn start;     ///< where the record begins
  lsn end;       ///< where the next one may begin
  lsn previous;  ///< where the record before it begins (its xl_prev)
};

/// The record that contains `at`, or that ends exactly there; found by walking back to a page in
/// which a record starts (xlp_rem_len), then forward. Errors: out_of_range, corrupt, and
/// not_arrived where the record that contains `at` is not whole yet.
result<record_place> locate_record(const wal_source& source, const wal_identity& identity, lsn at);

}  // namespace zenith::wal
