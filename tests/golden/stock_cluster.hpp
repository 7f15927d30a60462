// stock_cluster: the base cluster, the WAL of a server that began on it, and stock recovery of it.
#pragma once

#include <filesystem>
#include <vector>

#include "tests/support/golden_corpus.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Makes the base's data directory: a fresh cluster whose counters stand just before the ends of
/// SLRU pages and segments, so that a few transactions cross them.
void make_base_cluster(const temporary_directory& directory, const std::filesystem::path& into);

/// A stopped server's pg_wal as one text, from the segment that holds `start` on.
struct stock_wal {
  wal::wal_identity identity;
  lsn begin;
  lsn start;  ///< the end of the base's last record
  lsn end;    ///< the end of the server's last record, a shutdown checkpoint
  bytes data;
  std::vector<lsn> ends;           ///< of all records
  std::vector<std::string> types;  ///< "Heap/INSERT+INIT", of all records
  std::filesystem::path folder;    ///< the server's pg_wal
};
stock_wal read_stock_wal(const std::filesystem::path& base, const std::filesystem::path& data);

/// Lets a stock server recover a copy of the base with the WAL up to `cut`, the end of a record,
/// and stop. Nobody connects to it, so that its files are what recovery makes of them.
void recover_stock(const temporary_directory& directory, const std::filesystem::path& base,
                   const stock_wal& wal, lsn cut, const std::filesystem::path& into);

/// A stopped cluster's files, with its counters; sizes are u32.
golden_values read_stock_files(const std::filesystem::path& data);

}  // namespace zenith::testing
