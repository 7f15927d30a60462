// file_system: the only way to files, so that tests can lose what was not synced.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"

namespace zenith {

using path = std::filesystem::path;

/// An open file. One thread at a time may write; reads at offsets may come from many threads.
/// Every error names the file, the offset and the operating system's reason.
class file {
 public:
  virtual ~file() = default;
  /// Fills the whole span from the offset on. Error: corrupt where the file ends before that, io.
  virtual result<void> read(uint64_t offset, byte_span into) const = 0;
  /// Writes all of it at the offset; the file grows as needed. It is durable after sync().
  virtual result<void> write(uint64_t offset, byte_view data) = 0;
  /// Makes every write so far durable (fdatasync).
  virtual result<void> sync() = 0;
  virtual result<uint64_t> size_bytes() const = 0;
  /// Sets the size; new bytes are zero.
  virtual result<void> resize(uint64_t size_bytes) = 0;
};

enum class open_mode {
  read,        ///< must exist
  write,       ///< must exist; read and write
  create,      ///< is made where it does not exist; read and write
  create_new,  ///< must not exist (error already_exists); read and write
};

/// A directory entry's kind is all that callers ask for.
struct directory_entry {
  std::string name;
  bool is_directory = false;
};

/// What the storage asks of the operating system. Thread-safe.
class file_system {
 public:
  virtual ~file_system() = default;
  /// New files get mode 0600. Errors: not_found, already_exists, io.
  virtual result<std::unique_ptr<file>> open(const path& name, open_mode mode) = 0;
  virtual result<bool> exists(const path& name) = 0;
  /// Makes the directory and its parents, mode 0700; each is durable once its parent is synced.
  virtual result<void> create_directories(const path& name) = 0;
  /// Sorted by name, without "." and "..". Error: not_found.
  virtual result<std::vector<directory_entry>> list(const path& directory) = 0;
  /// Replaces the target; durable after sync_directory on the target's directory.
  virtual result<void> rename(const path& from, const path& to) = 0;
  /// Removes a file. Error: not_found.
  virtual result<void> remove(const path& name) = 0;
  /// Removes a directory with all that is in it; nothing to do where it does not exist.
  virtual result<void> remove_all(const path& directory) = 0;
  /// Makes the directory's entries durable.
  virtual result<void> sync_directory(const path& directory) = 0;
  /// Makes everything below a directory durable, and its entries; may make more durable than that.
  /// One call for a thousand files costs far less than a sync of each.
  virtual result<void> sync_tree(const path& directory);
};

/// The machine's own file system.
file_system& posix_file_system();

}  // namespace zenith
