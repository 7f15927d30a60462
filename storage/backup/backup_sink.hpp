// backup_sink: where the files of a data directory go, whatever holds them (a tar, a directory).
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith::backup {

/// Takes a data directory, entry by entry: a directory before what lies in it, and each file as
/// begin_file, write (any number of times), end_file. Names are relative to the data directory,
/// with '/' between their parts. Directories get mode 0700, files the mode given. A sink that
/// gave an error takes nothing more.
class backup_sink {
 public:
  virtual ~backup_sink() = default;

  virtual result<void> add_directory(std::string_view name) = 0;
  /// The directory pg_tblspc/OID, or what stands in for it: later names below it lead there.
  virtual result<void> add_tablespace(uint32_t oid) = 0;
  /// Exactly `size_bytes` bytes are written before end_file.
  virtual result<void> begin_file(std::string_view name, uint32_t mode, uint64_t size_bytes) = 0;
  virtual result<void> write(byte_view data) = 0;
  /// Zeros, where a sink can leave them out of what it stores.
  virtual result<void> write_zeros(uint64_t size_bytes);
  virtual result<void> end_file() = 0;
  /// Everything was added.
  virtual result<void> finish() = 0;

  /// A whole small file, mode 0600.
  result<void> add_file(std::string_view name, byte_view contents);
};

/// The mode of every file in a data directory (file_perm.h, PG_FILE_MODE_OWNER).
inline constexpr uint32_t owner_file_mode = 0600;

/// Refuses a name that is empty, absolute, or has an empty, "." or ".." part. Error: corrupt.
result<void> check_entry_name(std::string_view name);

}  // namespace zenith::backup
