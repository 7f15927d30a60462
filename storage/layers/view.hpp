// view: everything that a timeline holds up to an LSN, immutable, readable from any thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/relation_state.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/layer.hpp"

namespace zenith::layers {

/// Reads any version at or before until(). Holds its layers in memory as long as it lives.
/// Reads of one view may run in many threads at once; no call sends a message or waits.
class view {
 public:
  /// `layers`: newest first; of each, versions up to its own `until` count.
  view(std::vector<layer_reference> layers, lsn from, lsn until);

  /// The oldest and the newest LSN that can be asked for, both included.
  lsn from() const { return from_; }
  lsn until() const { return until_; }

  /// A key's value as of an LSN, redo done; nullopt where it does not exist then. For relation
  /// blocks use read_page. Errors: out_of_range (LSN outside from..until), corrupt, unsupported.
  result<std::optional<bytes>> value(const key& k, lsn at) const;

  /// A fork's size and cuts as of an LSN; nullopt where it does not exist then.
  result<std::optional<relation_state>> relation(const relation_id& relation, fork_number fork,
                                                 lsn at) const;

  /// One block as of an LSN. Errors: not_found (no such fork then), out_of_range (block past its
  /// end, or LSN outside), corrupt, unsupported (names the record that we cannot redo).
  result<void> read_page(const relation_id& relation, fork_number fork, block_number block, lsn at,
                         page& into) const;

  /// The keys that exist as of an LSN, from first to last, both included, sorted. Not for blocks.
  result<std::vector<key>> keys(const key& first, const key& last, lsn at) const;

 private:
  std::vector<layer_reference> layers_;
  lsn from_;
  lsn until_;
};

using view_ptr = std::shared_ptr<const view>;

}  // namespace zenith::layers
