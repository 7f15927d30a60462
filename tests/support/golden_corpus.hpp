// golden_corpus: WAL of real servers with what PostgreSQL's own recovery makes of it, kept in
// files.
//
// All scenarios start from one cluster, the base. tests/golden/README.md says how they were made.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/wal/decoder.hpp"

namespace zenith::testing {

using golden_values = std::map<key, bytes>;

/// A cleanly shut down cluster: key_kind's shapes, but a relation's size is a u32 of blocks.
struct golden_base {
  golden_values values;
  bytes packed;  ///< the same as one text, against which the other files are compressed
};

/// What a stock server's files hold after it recovered from the base to `at`. A block's value is a
/// golden_block, or the whole page for samples to look at; blocks that the base has with the same
/// 8192 bytes are left out. Free space maps and contents of unlogged relations are left out too.
struct golden_stop {
  lsn at;
  golden_values values;
};

/// 12 bytes: what a page must have.
struct golden_block {
  uint32_t crc = 0;  ///< CRC-32C of it with pd_lsn and pd_checksum (its first 10 bytes) as zeros
  lsn written;       ///< its pd_lsn

  static golden_block of(const page& p);
  /// Takes either shape of a stop's value.
  static golden_block decode(byte_view value);
  bytes encode() const;
  bool operator==(const golden_block&) const = default;
};

struct golden_scenario {
  std::string name;
  wal::wal_identity identity;
  lsn begin;                       ///< of the first byte of wal: a segment's start
  lsn start;                       ///< the base's LSN, where the first record begins
  lsn end;                         ///< of the last record
  bytes wal;                       ///< from `begin` to `end`, whatever pg_timelines it lies on
  std::vector<golden_stop> stops;  ///< in order; the last one is at `end`

  byte_view wal_from(lsn at) const { return byte_view{wal}.subspan(at - begin); }
};

/// The scenarios' names.
std::vector<std::string> golden_names();
/// Read once a process. Throws where the files are not there or damaged, as load_golden does.
const golden_base& load_golden_base();
golden_scenario load_golden(const std::string& name);

// What makes the files uses these.
bytes pack_golden(const golden_values& values);
bytes pack_golden(const std::vector<golden_stop>& stops);
/// zstd. `prefix`: what it may refer to; needed again, the same, to get it back.
bytes compress_golden(byte_view data, byte_view prefix);

}  // namespace zenith::testing
