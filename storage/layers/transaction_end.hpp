// transaction_end: where and when a transaction ended, and batches of them as layer files hold
// them.
//
// A batch is a value of the key key::transaction_ends(its first end), as of that LSN: a branch that
// leaves in the middle of it sees it. Whoever reads one of a history that counts up to an LSN has
// to pass over what ended later, and a merge that copies it into such a history writes it without
// (until_lsn below). Of each key there is one version, and batches of one history do not overlap.
//
// Little-endian, frozen:
//    0  u16  number of ends, 1 to 512; with its highest bit set where the records before are known
//    2  i64  the largest time of all known ends before the batch, the smallest i64 where none is
//   10  i64  the largest time of those and of the batch's
//   18  for each end, by rising LSN, three varints (7 bits a byte, the lowest first, the highest
//   bit
//       set on all but the last byte, 10 bytes at most):
//         its time less the one before it, zigzag; of the first: less 0
//         where its record starts less where the one before it ends; of the first: less 0
//         the bytes of WAL from its record's start to its end, not 0
//       where the records before are known, a fourth one:
//         its record's start less where the record before it begins; 0: not known of this one
// The second of the two times never falls from a batch to the next one of the same history.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith::layers {

/// A commit or an abort.
struct transaction_end {
  int64_t time_us = 0;  ///< microseconds since 2000-01-01 UTC (TimestampTz)
  lsn start;            ///< where its record begins: the point just before it
  lsn end;              ///< where its record ends: the point just after it
  /// Where the record before its own begins (xl_prev), which a server that starts just before it
  /// has to name; 0/0: not known.
  lsn previous;

  bool operator==(const transaction_end&) const = default;
};

/// No time at all.
inline constexpr int64_t no_time = std::numeric_limits<int64_t>::min();

struct transaction_end_batch {
  static constexpr size_t ends_max = 512;

  int64_t newest_before = no_time;  ///< the largest time of all known ends before it
  std::vector<transaction_end> ends;

  /// The largest time of those before it and its own.
  int64_t newest() const;
  /// The first end at or before an LSN whose time is later than this one.
  std::optional<transaction_end> first_later_than(int64_t time_us, lsn until) const;
  /// The first one that ends at an LSN or later, and at or before `until`.
  std::optional<transaction_end> first_from(lsn from, lsn until) const;
  /// The largest time of those before it and of its own ends at or before an LSN; `no_time` where
  /// there is none.
  int64_t newest_time(lsn until) const;

  bool operator==(const transaction_end_batch&) const = default;
};

/// `ends`: 1 to 512, each beginning at or after the end of the one before it.
bytes encode_transaction_ends(int64_t newest_before, std::span<const transaction_end> ends);
/// Error: corrupt.
result<transaction_end_batch> decode_transaction_ends(byte_view encoded);
/// The batch as a history that counts up to an LSN has it; nullopt where that is all of it. Some of
/// its ends lie at or before the LSN. Error: corrupt.
result<std::optional<bytes>> until_lsn(byte_view encoded, lsn until);
/// Only the largest time of a batch and of all before it. Error: corrupt.
result<int64_t> newest_time_of(byte_view encoded);

/// The first end of a key of kind transaction_ends.
inline lsn first_end_of(const key& k) { return lsn{uint64_t{k.a} << 32 | k.d}; }

}  // namespace zenith::layers
