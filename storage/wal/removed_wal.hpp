// removed_wal: up to where a timeline's WAL was removed because nobody needs it any more.
//
// The file `removed` in the WAL's folder says so, before any segment goes: what is missing below
// its LSN was removed, what is missing above is lost. A metadata file; its text, frozen:
//    {"removed_until": "0/3000000"}
#pragma once

#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::wal {

inline constexpr const char* removed_file_name = "removed";

/// The start of the first segment that is kept; 0/0 where nothing was removed. Errors: corrupt
/// (names the file), io.
result<lsn> read_removed(file_system& files, const path& wal_directory);
/// Durable when it returns. Error: io.
result<void> write_removed(file_system& files, const path& wal_directory, lsn until);
/// What a read of such WAL answers: out_of_range.
tl::unexpected<error> was_removed(const path& wal_directory, lsn at, lsn until);

}  // namespace zenith::wal
