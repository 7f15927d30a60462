// relation_backup: the databases, relations and SLRUs of a base backup.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "storage/backup/backup_sink.hpp"
#include "storage/backup/data_directory.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/view.hpp"

namespace zenith::backup {

using layers::page_checksums;

/// What the file PG_VERSION holds, in a data directory and in each database.
inline constexpr std::string_view version_file_contents = "15\n";

/// Writes what the view holds as of one LSN; the directories base, global, pg_tblspc and those of
/// the SLRUs have been added. No page that is newer than the LSN gets through (error: corrupt).
class relation_backup {
 public:
  relation_backup(const layers::view& view, lsn at, page_checksums checksums, backup_sink& sink)
      : view_(view), at_(at), checksums_(checksums), sink_(sink) {}

  /// Tablespaces, databases with PG_VERSION and relation map, and every relation's files: of an
  /// unlogged one an empty main fork, which is a copy of the init fork (reinit.c).
  ///
  /// A heap's free space map is made from the heap's own pages, which all pass by here: the map is
  /// not logged, and where a standby keeps it up in redo (XLogRecordPageWithFreeSpace) it depends
  /// on the heap. A byte of memory is needed for each block of the largest heap. Other maps, of
  /// indexes, are what the view holds; one that cannot be read is left out: PostgreSQL makes a new
  /// one.
  result<void> write_relations();
  /// Whole segments of whole pages. Error: corrupt where pages between others are missing.
  result<void> write_slrus();

  uint64_t relations() const { return relation_count_; }
  uint64_t bytes_written() const { return bytes_; }

 private:
  result<void> write_tablespaces();
  result<void> write_databases();
  result<void> write_relation(const relation_id& relation, const relation_forks& forks);
  using page_source = std::function<result<void>(block_number, page&)>;
  result<void> write_main_fork(const relation_id& relation, const relation_forks& forks);
  result<void> write_fork(const relation_id& relation, fork_number fork, block_number blocks,
                          const page_source& source);
  result<void> write_made_free_space_map(const relation_id& relation,
                                         const std::vector<uint8_t>& categories);
  result<void> write_kept_free_space_map(const relation_id& relation, block_number blocks);
  /// Gives a fork's pages as the view holds them.
  page_source source_of(const relation_id& relation, fork_number fork) const;
  result<void> write_slru_segment(slru_kind slru, uint32_t segment,
                                  const std::vector<uint32_t>& pages);
  result<void> read_page(const relation_id& relation, fork_number fork, block_number block,
                         page& into) const;
  result<void> ensure_directory(uint32_t tablespace, uint32_t database);

  const layers::view& view_;
  lsn at_;
  page_checksums checksums_;
  backup_sink& sink_;
  std::set<uint32_t> tablespaces_;
  std::set<std::string> directories_;
  uint64_t relation_count_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace zenith::backup
