// manifest: which files a timeline's history lies in, and up to where; replaced as a whole.
//
// timelines/ID/manifest is a metadata file (io/durable_file.hpp) with a JSON object; frozen are its
// fields' names. A layer file of this timeline with a number at or above next_number, and every
// other file in its folder, is garbage of a job that did not end; a file below that number may be
// another timeline's, even when this manifest does not name it.
#pragma once

#include <string>
#include <string_view>

#include "storage/io/file_system.hpp"
#include "storage/layers/layer_map.hpp"

namespace zenith::layers {

struct manifest {
  /// All versions up to here are in the files; what is later comes from the WAL.
  lsn disk_consistent;
  lsn last_record;                             ///< where the record that ends there begins
  bool ends_with_shutdown_checkpoint = false;  ///< that record is one
  /// The oldest LSN that can be read, but for what branches, tags and servers hold.
  lsn readable_from;
  uint64_t next_number = 1;
  /// Since the timeline began: what was ingested, written as it came, and written by merges.
  uint64_t wal_bytes = 0;
  uint64_t flushed_bytes = 0;
  uint64_t merged_bytes = 0;
  layer_map map;

  bool operator==(const manifest&) const = default;
};

inline constexpr const char* manifest_name = "manifest";

std::string encode(const manifest& m);
/// Error: corrupt (names the field).
result<manifest> decode_manifest(std::string_view json_text);

/// Errors: not_found, io, corrupt (name the file).
result<manifest> read_manifest(file_system& files, const path& timeline_directory);
result<void> write_manifest(file_system& files, const path& timeline_directory, const manifest& m);

}  // namespace zenith::layers
