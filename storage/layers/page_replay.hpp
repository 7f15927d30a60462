// page_replay: a page made from its versions, one after the other, oldest first.
#pragma once

#include "storage/layers/merge_history.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// Follows one block or SLRU page. What lies below its first versions is read only when a record
/// needs it. A copy of it goes on from the same place.
class page_replay {
 public:
  /// Neither outlives the history.
  page_replay(merge_history& history, page_checksums checksums, const key& k);

  /// Takes the key's next newer version, which is looked at as of a state that is kept or after the
  /// horizon. Gives whether the page as of the version is made; where one is not, all others up to
  /// the next whole version are not either.
  bool apply(const version_entry& v, lsn state);

  /// After apply() gave true: the page as of that version, with its checksum where pages have them.
  const page& made();

 private:
  enum class base { unread, copy, page, none };

  result<void> start_from(const version_entry& v);
  result<void> read_base(const version_entry& v, lsn state);
  result<void> redo(const version_entry& v);

  merge_history* history_;
  page_checksums checksums_;
  key key_;
  base base_ = base::unread;
  page page_;
  key source_;  // of a copy
  lsn source_at_;
  lsn last_;  // the newest version that is in it
};

}  // namespace zenith::layers
