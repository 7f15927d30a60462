// data_directory: reading the files of a PostgreSQL 15 data directory whose server is not running.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/backup/file_names.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"

namespace zenith::backup {

/// The length of each fork that a relation has, in whole blocks.
struct relation_forks {
  std::array<std::optional<block_number>, all_forks.size()> blocks;

  std::optional<block_number>& operator[](fork_number fork) {
    return blocks[static_cast<size_t>(fork)];
  }
  const std::optional<block_number>& operator[](fork_number fork) const {
    return blocks[static_cast<size_t>(fork)];
  }
  /// Only the init fork of an unlogged relation means anything later.
  bool is_unlogged() const { return (*this)[fork_number::init].has_value(); }
};

/// What lies in a data directory, but for what no later server needs: temporary relations, caches,
/// statistics, slots. Found by listing; the files themselves are read later.
struct directory_contents {
  std::map<uint32_t, std::string> tablespaces;        ///< oid to location; empty: in place
  std::set<std::pair<uint32_t, uint32_t>> databases;  ///< tablespace, oid; with their PG_VERSION
  std::map<relation_id, relation_forks> relations;
  std::array<std::map<uint32_t, uint32_t>, all_slrus.size()> slrus;  ///< segment to pages in it
  std::set<uint32_t> two_phase;
};

/// Reads; checks what it reads as far as each function says.
class data_directory {
 public:
  data_directory(file_system& files, path root) : files_(files), root_(std::move(root)) {}

  const path& root() const { return root_; }

  /// Lists everything. Checks that PG_VERSION, here and in each database, is 15.
  /// Errors: unsupported (another version), not_found, corrupt, io.
  result<directory_contents> list() const;

  /// A whole file of at most so many bytes. Errors: not_found, corrupt where it is larger, io.
  result<bytes> read_file(std::string_view name, uint64_t at_most_bytes) const;
  /// The same, and none where it does not exist.
  result<std::optional<bytes>> read_optional_file(std::string_view name,
                                                  uint64_t at_most_bytes) const;

  using block_callback = std::function<result<void>(block_number, const page&)>;
  /// Calls back for the first `blocks` blocks of a fork, in order.
  result<void> read_fork(const relation_id& relation, fork_number fork, block_number blocks,
                         const block_callback& each) const;
  /// Calls back for the pages of an SLRU's segment, with their page numbers in the whole SLRU.
  result<void> read_slru_segment(slru_kind slru, uint32_t segment, uint32_t pages,
                                 const block_callback& each) const;

  /// The file, relative to the directory, in which a block lies.
  static std::string file_of(const relation_id& relation, fork_number fork, block_number block);

 private:
  result<void> check_version(std::string_view directory) const;
  result<void> list_tablespaces(directory_contents& into) const;
  result<void> list_databases(uint32_t tablespace, directory_contents& into) const;
  result<void> list_relations(uint32_t tablespace, uint32_t database,
                              directory_contents& into) const;
  result<void> list_slru(slru_kind slru, directory_contents& into) const;
  result<std::vector<directory_entry>> list_if_exists(std::string_view name) const;
  result<uint64_t> file_size_bytes(const path& name) const;
  result<void> read_pages(const std::string& name, block_number first, uint32_t pages,
                          const block_callback& each) const;

  file_system& files_;
  path root_;
};

}  // namespace zenith::backup
