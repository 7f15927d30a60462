// recovered_cluster: what PostgreSQL's own crash recovery makes of a base backup and WAL cut at L.
#pragma once

#include <filesystem>
#include <string>

#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// Takes a base backup of a running server (pg_basebackup, without its WAL).
void take_base_backup(const std::string& conninfo, const std::filesystem::path& into);

/// Copies the base backup to `into`, gives it the segment files of `wal` with everything from `cut`
/// on as zeros, lets a stock server recover to the end of that WAL, and stops it cleanly: its
/// checkpoint has written every page. `cut`: the end of a whole record.
void recover_to(const temporary_directory& directory, const std::filesystem::path& base_backup,
                const std::filesystem::path& wal, pg_timeline timeline, uint32_t segment_size_bytes,
                lsn cut, const std::filesystem::path& into);

}  // namespace zenith::testing
