// segments: one timeline's WAL on disk, in files exactly as PostgreSQL names and fills them.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"
#include "storage/io/file_system.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::wal {

/// Where the WAL was found to end when its files were opened.
struct found_end {
  lsn end;          ///< the end of the last whole record
  lsn last_record;  ///< where that record begins
  /// What stands there instead of another record, in words; empty where zeros or no bytes follow.
  std::string torn;
};

/// The WAL of one timeline from its start on, in segment files of one folder. The file of a segment
/// in which a pg_timeline begins starts with a copy of what was before it, as PostgreSQL's does.
/// One thread appends, syncs, rewinds and switches; any may read.
///
/// Invariants: a segment file is whole (its full size, with the bytes from before the timeline or
/// pg_timeline in it) and durable before it gets its name; a segment is synced before the next one
/// is made, so that only the last one can have lost anything in a crash.
class wal_directory final : public wal_source {
 public:
  struct parameters {
    file_system* files = nullptr;
    path directory;  ///< made with the first append
    wal_identity identity;
    lsn start;     ///< the timeline's own WAL begins here: the end of a whole record
    lsn previous;  ///< where that record begins, or 0/0: unknown
    /// Ascending, its last entry at or before the end; those of ancestors do no harm.
    std::vector<timeline_switch> history;
    /// What the bytes before `start` are copied from; may be null, or begin too late.
    std::shared_ptr<const wal_source> before;
    /// The search for the end begins at this end of a whole record, whose start is the second;
    /// 0/0: at `start`.
    lsn scan_from;
    lsn scan_previous;
    /// A record that ended here was durable: an end before it is damage. 0/0: unknown.
    lsn known_durable;
  };

  /// Finds the files and the WAL's end in them: a torn or incomplete record is the end. Removes
  /// what a segment that was not finished left. Errors: io; corrupt where WAL is damaged that
  /// cannot have been lost in a crash (before known_durable, or with another segment after it).
  static result<std::unique_ptr<wal_directory>> open(parameters how);

  const found_end& opened_at() const { return opened_; }

  /// Where what is kept of this timeline's own WAL begins: its start, or what was not removed.
  lsn begin() const override {
    return std::max(how_.start, lsn{removed_.load(std::memory_order_acquire)});
  }
  /// The end of what was appended, synced or not, whole records or not.
  lsn end() const override { return lsn{end_.load(std::memory_order_acquire)}; }
  lsn durable_until() const { return lsn{durable_.load(std::memory_order_acquire)}; }
  result<void> read(lsn at, byte_span into) const override;

  /// Writes what follows end(). What is there already may come again, back to the start of the
  /// page that holds begin(), and is compared. Errors: invalid_argument (a gap), conflict (other
  /// bytes than those that are there), io; end() says how far it came then.
  result<void> append(lsn at, byte_view data);

  /// Makes everything up to end() durable. Error: io; then what was not durable is given up:
  /// end() is durable_until() again.
  result<void> sync();

  /// Gives up what lies past `to`, which is at or after begin() and the newest pg_timeline's start.
  /// Errors: invalid_argument, io.
  result<void> rewind(lsn to);

  /// How much remove_before would remove, in whole segments: files and where the rest begins.
  struct removal {
    uint64_t files = 0;
    uint64_t bytes = 0;
    lsn kept_from;
  };
  removal removable_before(lsn needed) const;
  /// Removes the segments that end at or before `needed`, which is durable; reads of them are
  /// out_of_range from then on. What is removed is on record before (removed_wal.hpp). Error: io;
  /// what is left of them then goes the next time.
  result<removal> remove_before(lsn needed);

  /// From `at` on (begin() or later, end() or before) the WAL is of a new, higher pg_timeline. What
  /// lay past it is given up. The caller records the new history.
  result<void> switch_timeline(pg_timeline number, lsn at);

  const std::vector<timeline_switch>& history() const { return how_.history; }

 private:
  // A segment of one pg_timeline: the name of a file.
  struct file_id {
    uint64_t segment = 0;
    pg_timeline number{};
    auto operator<=>(const file_id&) const = default;
  };
  using file_pointer = std::shared_ptr<file>;

  // The file that holds a segment's bytes, and up to where it does.
  struct file_part {
    file_pointer file;  // null where there is none
    lsn until;
  };

  /// What a segment's name ends with until it is whole.
  static constexpr const char* temporary_ending = ".tmp";

  explicit wal_directory(parameters how);
  uint64_t segment_of(lsn at) const { return at.value() / how_.identity.segment_size_bytes; }
  lsn start_of(uint64_t segment) const { return lsn{segment * how_.identity.segment_size_bytes}; }
  uint64_t offset_of(lsn at) const { return at - start_of(segment_of(at)); }
  path path_of(const file_id& id) const;

  result<void> list_files();
  result<void> remove_leftovers();
  std::vector<file_id> files_before(lsn segment_start) const;
  result<found_end> find_end() const;
  result<void> check_damage(const found_end& found, lsn reached) const;
  result<void> make_end_durable(lsn end);

  result<file_part> find_file(uint64_t segment) const;
  result<file_pointer> opened(const file_id& id) const;  // mutex_ is held
  result<void> read_files(lsn at, byte_span into) const;

  result<void> take_before_start(lsn at, byte_view data);
  result<void> compare(lsn at, byte_view data) const;
  result<void> write_in_segment(lsn at, byte_view data);
  result<file_pointer> writable(lsn at);
  result<void> make_segment(const file_id& id);
  result<bytes> bytes_before(lsn segment_start, lsn until) const;
  result<void> remove_files(std::span<const file_id> ids);
  void forget(const file_id& id);

  parameters how_;
  found_end opened_;
  std::atomic<uint64_t> end_{0};
  std::atomic<uint64_t> durable_{0};
  std::atomic<uint64_t> removed_{0};

  // The writer's own: the file with unsynced bytes; those from durable_ to end_ are all in it.
  file_pointer dirty_;
  file_id dirty_id_;

  mutable std::mutex mutex_;  // guards what follows; how_.history is changed under it
  std::set<file_id> present_;
  mutable std::map<file_id, file_pointer> open_files_;
};

}  // namespace zenith::wal
