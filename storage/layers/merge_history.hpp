// merge_history: what a merge asks of the whole history: forks' states, and what pages begin with.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/base/relation_state.hpp"
#include "storage/layers/key_retention.hpp"
#include "storage/layers/view.hpp"

namespace zenith::layers {

/// For one thread.
class merge_history {
 public:
  /// `all`: what the merge's timeline has in files, newest first. `untouched`: of the keys that the
  /// merge rewrites, what lies in files that it does not rewrite, newest first.
  merge_history(std::vector<layer_reference> all, std::vector<layer_reference> untouched,
                page_checksums checksums);

  /// What a state shows of a block's versions. States that are after the horizon, or kept, can be
  /// asked for; of others it is not known what earlier merges left. Errors: of view::relation.
  result<visible_versions> seen_at(const key& block, lsn state);

  /// What a block or SLRU page was before its version at `before`, as a state has it: what the
  /// records from there on start from. The versions at and after `before` do not count, nor do any
  /// in the files that are rewritten. Errors: of view::read_page and view::value; corrupt where an
  /// SLRU page did not exist.
  result<void> page_before(const key& k, lsn before, lsn state, page& into);
  /// A block or SLRU page as of an LSN that is kept or after the horizon.
  result<void> page_at(const key& k, lsn at, page& into) const;

  /// Whether a visibility map's page, as page_before and page_at give it, begins with an image that
  /// says nothing of its bits.
  result<bool> lacks_bits_before(const key& map_block, lsn before, lsn state);
  result<bool> lacks_bits_at(const key& map_block, lsn at) const;

  /// Where the records begin that made several blocks of a fork at once, ascending: the fork's size
  /// then says which ones. Errors: of layers.
  result<std::vector<lsn>> common_records(const relation_id& relation, fork_number fork) const;

 private:
  class layers_before;
  const result<std::optional<relation_state>>& fork_at(const key& block, lsn at);

  std::vector<layer_reference> layers_;
  std::shared_ptr<layers_before> narrowed_;
  view all_;
  view before_;  // all, but of one key only what narrowed_ leaves
  // The states asked for of one fork.
  key fork_;
  std::map<lsn, result<std::optional<relation_state>>> fork_states_;
};

/// Whether an image has a hole where a visibility map has its bits: its hole reaches the page's
/// end.
bool lacks_map_bits(const pg::block_image& image);

}  // namespace zenith::layers
