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
#include "storage/layers/page_cache.hpp"
#include "storage/postgres/record.hpp"

namespace zenith::layers {

/// Whether the cluster's pages carry checksums (pg_control, data_checksum_version).
enum class page_checksums : uint8_t { off, on };

/// What is answered of a key that nobody knows since a record was not understood.
enum class unknown_keys : uint8_t {
  refused,      ///< an error that names the record
  passed_over,  ///< what is known from before: for what goes on after that record
};

/// Reads any version at or before until(). Holds its layers in memory as long as it lives.
/// Reads of one view may run in many threads at once; no call sends a message or waits.
class view {
 public:
  /// `layers`: newest first; of each, versions in its own range count. All up to `until` was
  /// published, unless there is no cache. `cached`: where pages and sizes are kept. `checksums`: on
  /// makes every relation block that redo has changed carry its checksum, as PostgreSQL writes it;
  /// off leaves what its history has; values are given as they are.
  view(std::vector<layer_reference> layers, lsn from, lsn until, cached_history cached = {},
       page_checksums checksums = page_checksums::off,
       unknown_keys unknown = unknown_keys::refused);

  /// The same for a reader that goes through everything once: what is in the cache is taken from
  /// there, and no page is put there, which costs more than most redo and helps nobody after it.
  view for_scan() const;

  /// The oldest and the newest LSN that can be asked for, both included.
  lsn from() const { return from_; }
  lsn until() const { return until_; }

  /// A key's value as of an LSN, redo done; nullopt where it does not exist then. For relation
  /// blocks use read_page. Errors: out_of_range (LSN outside from..until), corrupt, unsupported.
  result<std::optional<bytes>> value(const key& k, lsn at) const;

  /// Whether a key exists as of an LSN. Not for blocks.
  result<bool> exists(const key& k, lsn at) const;

  /// A fork's size and cuts as of an LSN; nullopt where it does not exist then.
  result<std::optional<relation_state>> relation(const relation_id& relation, fork_number fork,
                                                 lsn at) const;

  /// One block as of an LSN. Errors: not_found (no such fork then), out_of_range (block past its
  /// end, or LSN outside), corrupt, unsupported (names the record that we cannot redo).
  result<void> read_page(const relation_id& relation, fork_number fork, block_number block, lsn at,
                         page& into) const;

  /// The same, shared with the cache: who only passes the page on copies nothing. Never nullptr.
  result<std::shared_ptr<const page>> shared_page(const relation_id& relation, fork_number fork,
                                                  block_number block, lsn at) const;

  /// A full-page image, and what it lies in where that is not a layer itself.
  struct kept_image {
    pg::block_image image;
    std::vector<std::shared_ptr<const void>> keeps;
  };
  /// The full-page image that a block's contents as of an LSN begin with, of copies that of their
  /// source; nullopt where they begin otherwise. Valid as long as the view and itself. Errors:
  /// out_of_range (LSN outside), corrupt, limit.
  result<std::optional<kept_image>> first_image(const relation_id& relation, fork_number fork,
                                                block_number block, lsn at) const;

  /// Adds a key's versions with after < LSN <= until to a history, from all layers. Errors:
  /// corrupt, io, limit.
  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const;

  /// The keys that exist as of an LSN, from first to last, both included, sorted. Not for blocks.
  result<std::vector<key>> keys(const key& first, const key& last, lsn at) const;

 private:
  class scratch;
  /// A fork's size, shared with the cache where there is one.
  class known_size;
  /// Where a block is put: the caller's page, or one that is shared with the cache.
  class block_place;
  /// How far copies of copies are followed.
  static constexpr unsigned copy_depth_limit = 64;

  result<void> check_range(lsn at) const;
  result<void> check_known(const key& k, lsn at) const;
  result<std::optional<bytes>> value_at(const key& k, lsn at, unsigned depth) const;
  result<known_size> size_at(const key& k, lsn at, unsigned depth) const;
  /// `state`: what the fork was before the history, where that does not say it.
  result<std::optional<relation_state>> size_of(const key& k, lsn at, const key_history& history,
                                                std::optional<relation_state> state,
                                                unsigned depth) const;
  result<void> block_at(const key& k, lsn at, page& into, unsigned depth) const;
  result<void> block_at(const key& k, lsn at, block_place& into, unsigned depth) const;
  /// What a block's records start from.
  result<void> base_of_block(const key& k, lsn at, const key_history& history, page& into,
                             unsigned depth) const;
  /// What there is of a block that has no version of its own: the record that added it, or a copy.
  /// `hidden`: what was up to here does not count.
  result<void> gather_common(const key& k, lsn hidden, lsn at, unsigned depth,
                             key_history& history) const;
  /// A block that has no version of its own: what the fork was copied from has it, or the record
  /// that made the fork so long makes it, or it is zeros. Gives the LSN from which on it is that.
  result<lsn> common_block_at(const key& k, lsn hidden, lsn at, page& into, unsigned depth) const;
  /// The same block of the fork that this history says it is a copy of.
  result<void> copied_block_at(const key& k, lsn at, const key_history& history, page& into,
                               unsigned depth) const;
  result<bool> slru_page_at(const key& k, lsn at, page& into, unsigned depth) const;
  result<bool> exists_at(const key& k, lsn at) const;
  result<void> apply_records(const key& k, lsn at, scratch& work, page& into) const;

  std::vector<layer_reference> layers_;
  std::vector<uint32_t> unknowing_;  // of these layers, those of which something may be unknown
  lsn from_;
  lsn until_;
  cached_history cached_;
  page_checksums checksums_;
  unknown_keys unknown_;
  bool keeps_pages_ = true;
};

using view_ptr = std::shared_ptr<const view>;

}  // namespace zenith::layers
