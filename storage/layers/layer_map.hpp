// layer_map: the files in which a timeline's history lies, by level; which ones hold a key.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/layers/layer.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/layer_level.hpp"

namespace zenith::layers {

/// Immutable; copies and maps made from it share the levels that do not differ, and what is
/// read through them. Level 0 is what was written as it came, newest first, any keys each. In each
/// further level slices do not overlap, and are sorted by key. Invariant: of each key, all versions
/// in a slice of level 0 are newer than those in the slices behind it, and all in a level are newer
/// than those in the levels below it (higher numbers).
class layer_map {
 public:
  static constexpr unsigned level_count = 7;
  using level = std::vector<layer_slice>;

  layer_map() : levels_(level_count), places_(level_count) {}
  /// Missing levels are empty; a slice's `until` past its file's last version means that one.
  /// Error: corrupt where the invariant's checkable part (order, overlaps, LSNs) does not hold.
  static result<layer_map> make(std::vector<level> levels, std::vector<unknown_state> unknowns,
                                std::vector<std::optional<key>> places = {});

  const std::vector<layer_level>& levels() const { return levels_; }
  /// What is not known since a record was not understood, newest first; `next` is not set.
  const std::vector<unknown_state>& unknowns() const { return unknowns_; }
  /// By level: the last key of what was merged from there into another level most recently.
  const std::vector<std::optional<key>>& places() const { return places_; }
  uint64_t size_bytes() const;  ///< of the files, each once
  size_t slices() const;
  /// How many slices a read of one key may have to look at.
  size_t depth() const;
  /// LSNs as of which copies in it read their sources, ascending, each once.
  std::vector<lsn> copied_at() const;

  /// For views, newest first: each slice of level 0, then each level that is not empty as one
  /// layer; before them a layer that only says what is unknown, where anything is. Does no I/O.
  /// From the first call on, its files are in use as long as this map or a copy is there.
  std::vector<layer_reference> layers(layer_files& files) const;

  /// What a child that leaves at the LSN has of it: nothing later counts.
  layer_map capped(lsn until) const;
  /// With files that were written just now on top (at most one, for all that has come up to
  /// `until`), and what was found to be unknown meanwhile, newest first.
  layer_map with_flushed(const std::vector<layer_file_info>& files,
                         const std::vector<unknown_state>& unknowns, lsn until) const;
  /// With `outputs`, by rising key, in a level (in level 0: where the oldest input was) instead of
  /// what the inputs hold of keys from first to last. `inputs`: slices of this map, whose parts
  /// outside of first..last stay where they are. Errors: conflict where an input is not there any
  /// more; invalid_argument where the invariant would not hold any more.
  result<layer_map> with_compacted(const std::vector<layer_slice>& inputs, const key& first,
                                   const key& last, const std::vector<layer_file_info>& outputs,
                                   unsigned output_level) const;

  bool operator==(const layer_map&) const;

 private:
  std::vector<layer_level> levels_;
  std::vector<unknown_state> unknowns_;
  std::vector<std::optional<key>> places_;
};

using layer_map_ptr = std::shared_ptr<const layer_map>;

}  // namespace zenith::layers
