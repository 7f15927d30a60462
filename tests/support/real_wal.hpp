// real_wal: WAL that a real server wrote, with what pg_waldump says of it, for tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "storage/wal/decoder.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// What pg_waldump prints of a record.
struct dumped_record {
  lsn start;
  lsn previous;
  uint32_t total_length_bytes = 0;
  std::string rmgr;

  bool operator==(const dumped_record&) const = default;
};

/// The WAL of one server from its first segment on.
struct real_wal {
  wal::wal_identity identity;
  lsn begin;  ///< the start of the first segment
  lsn first;  ///< the first record
  lsn end;    ///< of the last record
  bytes data;
  std::vector<dumped_record> records;

  byte_view from(lsn at) const { return byte_view{data}.subspan(at - begin); }
};

/// Reads the segments of pg_wal from the first on, and asks pg_waldump about them.
real_wal read_real_wal(const std::filesystem::path& data_directory);

/// The WAL of a server with 1 MiB segments that ran varied SQL: several segments, one ended early
/// by pg_switch_wal, records over many pages and over segments. Made once a process.
const real_wal& sample_wal();

}  // namespace zenith::testing
