// stored_wal: WAL of a timeline that others go on from, read from its files without opening it.
#pragma once

#include <memory>
#include <vector>

#include "storage/io/file_system.hpp"
#include "storage/wal/wal_source.hpp"

namespace zenith::wal {

/// What a child has from its parent: the parent's own WAL up to where the child left, and, through
/// `before`, what came before that. No file is touched before it is read, and none stays open: on a
/// chain of a thousand timelines each costs one such object. Immutable; thread-safe.
class stored_wal final : public wal_source {
 public:
  struct parameters {
    file_system* files = nullptr;
    path directory;  ///< the parent's WAL folder
    uint32_t segment_size_bytes = 0;
    /// The pg_timelines that began on the parent, ascending.
    std::vector<timeline_switch> history;
    lsn begin;  ///< where the parent's own WAL begins
    lsn end;    ///< where the child left
    /// Everything before `begin`; null: nothing is kept from before.
    std::shared_ptr<const wal_source> before;
  };
  explicit stored_wal(parameters how) : how_(std::move(how)) {}

  lsn begin() const override { return how_.before ? how_.before->begin() : how_.begin; }
  lsn end() const override { return how_.end; }
  /// Errors: out_of_range, also of what was removed; not_found where a segment is missing; io.
  result<void> read(lsn at, byte_span into) const override;

 private:
  result<void> read_own(lsn at, byte_span into) const;
  parameters how_;
};

/// A file that may hold a segment's bytes, and up to where it does.
struct segment_candidate {
  pg_timeline number{};
  lsn until;
};
/// The files that may hold a segment, of the newest pg_timeline first: where one is missing, the
/// next one holds what it has in common with it. `history`: ascending.
std::vector<segment_candidate> segment_candidates(const std::vector<timeline_switch>& history,
                                                  lsn segment_start, lsn segment_end);

}  // namespace zenith::wal
