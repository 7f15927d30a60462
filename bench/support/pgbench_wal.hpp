// pgbench_wal: the WAL of a pgbench run on a real server, in segment files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "storage/layers/image_layer.hpp"
#include "storage/wal/decoder.hpp"
#include "tests/support/process.hpp"

namespace zenith::bench {

struct pgbench_run {
  int scale = 20;
  int clients = 4;
  int transactions_each = 40'000;
  std::string configuration;  ///< more lines for postgresql.conf
  std::string statement;      ///< one more for the base, run once pgbench's tables are there
  bool crash = false;         ///< the server is killed at the end, and pgbench_wal::crashed made
};

/// From a clean stop before the run to the end of its last record, full-page images and all.
struct pgbench_wal {
  std::filesystem::path folder;
  wal::wal_identity identity;
  lsn start;
  lsn end;
  /// The data directory as the kill left it, with the WAL; empty where that was not asked for.
  std::filesystem::path crashed;
  /// Everything as of `start`, and the file that it is in.
  std::filesystem::path base_file;
  std::shared_ptr<const layers::image_layer> base;

  uint64_t size_bytes() const { return end - start; }
};

/// Makes a server in the directory, loads pgbench's tables, runs it, and stops the server; the
/// files stay for as long as the directory.
pgbench_wal make_pgbench_wal(const testing::temporary_directory& directory, const pgbench_run& how);

/// Calls back with all of the WAL in chunks as a reader of files gets it.
template <class Each>
void read_in_chunks(const pgbench_wal& wal, size_t chunk_bytes, const Each& each);

/// Reads so many bytes of WAL from an LSN on into a buffer; throws where a file is not there.
void read_wal(const pgbench_wal& wal, lsn at, byte_span into);

template <class Each>
void read_in_chunks(const pgbench_wal& wal, size_t chunk_bytes, const Each& each) {
  bytes chunk(chunk_bytes);
  for (lsn at{wal.start.value() / page_size_bytes * page_size_bytes}; at < wal.end;) {
    const uint64_t left_in_segment =
        wal.identity.segment_size_bytes - at.value() % wal.identity.segment_size_bytes;
    const size_t size = std::min<uint64_t>({chunk_bytes, left_in_segment, wal.end - at});
    const byte_span part = byte_span{chunk}.first(size);
    read_wal(wal, at, part);
    each(at, byte_view{part});
    at = at + size;
  }
}

}  // namespace zenith::bench
