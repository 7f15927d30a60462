// wal_segments: a folder's WAL segment files, as recovery picks them over pg_timelines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "storage/postgres/wal_page.hpp"

namespace zenith::testing {

/// The segments by their numbers; where several pg_timelines have one, the newest's, which holds
/// what the others had before it began (xlogrecovery.c, XLogFileReadAnyTLI).
inline std::map<uint64_t, std::filesystem::path> wal_segments(const std::filesystem::path& folder,
                                                              uint32_t segment_size_bytes) {
  std::map<uint64_t, std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name =
        pg::parse_segment_file_name(entry.path().filename().string(), segment_size_bytes);
    if (!name) continue;
    auto& path = found[name->number];
    // The number of the pg_timeline comes first in a name.
    if (path.filename() < entry.path().filename()) path = entry.path();
  }
  return found;
}

}  // namespace zenith::testing
