// relation_state: the versioned value of a fork's size, and what truncations hide of its blocks.
#pragma once

#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/base/result.hpp"

namespace zenith {

/// How long a fork is, and from which LSN on each of its blocks counts. A block that was cut off
/// and grew again is a page of zeros until it is written: versions from before the cut are hidden.
/// Invariant: cuts are sorted by LSN, and kept_blocks strictly grows with them.
class relation_state {
 public:
  struct cut {
    lsn at;
    block_number kept_blocks = 0;
    bool operator==(const cut&) const = default;
  };

  /// A fork that was created, empty, at this LSN (nothing older counts).
  static relation_state created(lsn at) {
    relation_state state;
    state.cuts_.push_back({at, 0});
    return state;
  }
  /// A fork of a base image: everything in the image counts.
  static relation_state of_base(block_number blocks) {
    relation_state state;
    state.blocks_ = blocks;
    return state;
  }

  block_number blocks() const { return blocks_; }
  const std::vector<cut>& cuts() const { return cuts_; }

  /// Grows the fork to at least so many blocks; never shrinks it. Gives whether it changed.
  bool extend(block_number blocks) {
    if (blocks <= blocks_) return false;
    blocks_ = blocks;
    return true;
  }
  /// Cuts the fork at an LSN: blocks from kept_blocks on are gone.
  void truncate(block_number kept_blocks, lsn at);

  /// Versions of this block at or before the LSN given here do not count (0/0: all count).
  lsn hidden_until(block_number block) const;

  /// Stored form, little-endian, frozen: u32 blocks, u32 number of cuts, then for each cut
  /// u64 LSN, u32 kept blocks.
  bytes encode() const;
  /// Error: corrupt.
  static result<relation_state> decode(byte_view stored);

  bool operator==(const relation_state&) const = default;

 private:
  block_number blocks_ = 0;
  std::vector<cut> cuts_;
};

}  // namespace zenith
