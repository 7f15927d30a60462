// judged_server: a real server whose WAL goes through the storage, judged by PostgreSQL's recovery.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/backup/base_backup.hpp"
#include "tests/support/ingested_wal.hpp"
#include "tests/support/postgres_server.hpp"

namespace zenith::testing {

/// The pg_timeline at an LSN, and those before it.
struct pg_lineage {
  pg_timeline timeline{1};
  std::vector<backup::past_pg_timeline> history;
};

/// A record's place, and all of what pg_waldump says of it.
struct judged_record {
  lsn start;
  lsn end;
  std::string dumped;
};

/// In this order: SQL before the base on server(), take_base(), the SQL under test with mark()
/// between its parts, ingest(); from then on the server is gone, and everything at its marks can be
/// looked at and judged.
class judged_server {
 public:
  /// A cluster that is not started yet. fsync and autovacuum are off, all WAL is kept.
  explicit judged_server(postgres_server::options how = {});

  postgres_server& server() { return *server_; }
  const temporary_directory& directory() const { return directory_; }
  /// Statements in order, each in its own transaction, on the kept session.
  void run(const std::vector<std::string>& statements);

  /// Stops the server cleanly, keeps its files as the base, and starts it again.
  void take_base();
  /// The server's insert position: everything done so far lies before it.
  lsn mark();
  /// Ends the server where it runs (its WAL made durable, then kill -9), and takes its WAL since
  /// the base in.
  void ingest();

  uint32_t segment_size_bytes() const { return segment_size_bytes_; }
  /// Where the base's WAL ends.
  lsn base() const { return ingested_.base.cluster.base; }
  /// The base's shutdown checkpoint, and all since.
  const std::vector<judged_record>& records() const { return records_; }
  /// The last record that ends at or before a mark: its end is an LSN to look at.
  const judged_record& last_before(lsn mark) const;
  /// The records of mark..mark whose dumped text holds all of the texts.
  std::vector<judged_record> find(lsn from, lsn until, const std::vector<std::string>& texts) const;
  /// How many those are.
  size_t count(lsn from, lsn until, const std::vector<std::string>& texts) const {
    return find(from, until, texts).size();
  }

  /// Everything up to the last record before a mark.
  layers::view view(lsn mark) const;
  /// A key's value as of a mark; empty where it does not exist.
  bytes value_at(lsn mark, const key& k) const;
  /// What exists of first..last, both included, as of a mark.
  std::vector<key> keys_at(lsn mark, const key& first, const key& last) const;
  /// A relation's files as of a mark, by the id that pg_relation_filepath gave ("base/5/16384").
  static relation_id relation_of(const std::string& filepath);
  /// A page, without its LSN and checksum; zeros past the fork's end.
  bytes page_at(lsn mark, const relation_id& relation, fork_number fork, block_number block) const;
  /// A fork's length; none where it does not exist.
  std::optional<block_number> blocks_at(lsn mark, const relation_id& relation,
                                        fork_number fork) const;

  /// Has stock PostgreSQL recover the base with the WAL cut at the mark's last record, and expects
  /// that all files, SLRU segments and counters of pg_control are those that the view gives.
  void expect_recovery_agrees(lsn mark);
  /// That recovery's data directory, stopped cleanly.
  std::filesystem::path recover(lsn mark);
  /// The data directory that the storage writes for the mark, not started yet. It is on the next
  /// pg_timeline where it starts from an appended checkpoint, and on the same from the WAL's own.
  std::filesystem::path write_backup(
      lsn mark, backup::start_record from = backup::start_record::appended_checkpoint);
  /// A stock server running on that directory.
  std::unique_ptr<postgres_server> start_at(lsn mark);

 private:
  void read_dump(lsn until);
  pg_lineage lineage_at(lsn at) const;
  std::filesystem::path fresh_directory(const std::string& name);

  temporary_directory directory_;
  std::unique_ptr<postgres_server> server_;
  std::filesystem::path base_;
  uint32_t segment_size_bytes_ = 0;
  ingested_wal ingested_;
  std::vector<judged_record> records_;
  int directories_ = 0;
};

}  // namespace zenith::testing
