// wal_replay: applies real WAL page by page, and compares with the images that the WAL carries.
//
// A server with wal_consistency_checking = all puts an image of each page after the change into
// each record. With full_page_writes = off beside it, redo's result is what these are compared
// with, from the first touch of a page on. Visibility maps, SLRUs, sizes and maps are not checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::testing {

struct replay_options {
  std::filesystem::path wal;  ///< a folder of segment files (a server's pg_wal), which may switch
                              ///< from one pg_timeline to the next
  lsn start;                  ///< where a record begins
  lsn until;                  ///< records that begin here or later are not read
  /// A data directory as it was at `start`, after a clean stop: what pages were before. Without
  /// one, a page is unknown, and not checked, until a record makes it anew.
  std::optional<std::filesystem::path> base;
  /// Called before each change of a known page: what is to be tried on copies of the two.
  std::function<void(const pg::record&, const pg::block_reference&, const page& before)> observe;
};

/// What happened to one type of record ("Btree/SPLIT_L").
struct record_counts {
  uint64_t seen = 0;         ///< records
  uint64_t applied = 0;      ///< pages that redo changed without an error
  uint64_t checked = 0;      ///< pages that were compared with an image
  uint64_t mismatched = 0;   ///< of these, not equal
  uint64_t failed = 0;       ///< pages on which redo gave an error
  uint64_t unsupported = 0;  ///< of these, for the resource manager's sake
  uint64_t unknown = 0;      ///< pages that were not known, so nothing was done
};

struct replay_report {
  std::map<std::string, record_counts> by_type;
  uint64_t records = 0;
  lsn end;                            ///< the end of the last record
  std::vector<std::string> problems;  ///< the first 20 mismatches and errors other than unsupported
  uint64_t problem_count = 0;
  std::string wal_error;  ///< what ended decoding before `until`; empty: nothing did

  /// The sum over the types that begin with this ("Btree/"; "" for all).
  record_counts total(const std::string& prefix = "") const;
  /// A table of all types, and the problems; for a test's message.
  std::string text() const;
};

/// Replays. Throws where files cannot be read; what redo gets wrong is in the report. A page that
/// could not be applied, or did not match, goes on from the record's image, where it has one.
replay_report replay_wal(const replay_options& options);

}  // namespace zenith::testing
