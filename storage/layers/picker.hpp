// picker: what choosing a merge looks at, and the steps of its choice.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "storage/layers/pick_compaction.hpp"

namespace zenith::layers {

inline uint64_t bytes_of(const layer_slice& slice) {
  return std::max<uint64_t>(slice.file.size_bytes, 1);
}

/// pick_compaction.hpp has the rules.
class picker {
 public:
  /// All of these outlive it. `split`: for levels from 1 on.
  picker(const layer_map& map, const layer_limits& limits, timeline_id owner,
         const unreadable_parts& unreadable, const slice_splitter& split)
      : map_(map), split_(split), limits_(limits), owner_(owner), unreadable_(unreadable) {
    for (const layer_level& level : map.levels()) sizes_.push_back(size_of(level));
  }

  result<std::optional<compaction_plan>> most_due() const;
  result<std::optional<compaction_plan>> collect(const retention& keep) const;
  /// What is due in level 0. Reads nothing.
  std::optional<compaction_plan> level0_plan() const;

 private:
  struct size {
    uint64_t all = 0;  ///< stored bytes of its files, each once
    uint64_t own = 0;  ///< of those that the owner wrote
  };
  size size_of(const layer_level& level) const;
  /// What a level may have, by the settings alone.
  uint64_t limit_of(unsigned level) const;
  /// What it may have above what lies below it.
  uint64_t allowed_in(unsigned level) const;
  double score_of(unsigned level) const;
  unsigned level_below(unsigned level) const;
  unsigned target_of(unsigned level) const;
  /// Where a merge of a level may go, the best first.
  std::vector<unsigned> targets_of(unsigned level) const;

  /// Neighbours in level 0, newest first.
  using run = std::span<const layer_slice>;
  struct taking {
    size_t slices = 0;     ///< the newest so many
    uint64_t counted = 0;  ///< what others are measured against
  };
  taking worth_taking(run slices) const;
  bool is_worth(uint64_t bytes, uint64_t counted) const {
    return bytes / limits_.level_factor <= counted;
  }
  void add_what_lies_below(compaction_plan& plan, uint64_t counted) const;

  result<std::optional<compaction_plan>> downward(unsigned level, unsigned target) const;
  result<key> end_of_range(const std::vector<layer_slice>& upper, size_t begin,
                           const std::vector<layer_slice>& lower, const key_range& within,
                           uint64_t excess) const;
  result<std::optional<key>> cut(const layer_slice& slice, const key_range& within,
                                 uint64_t bytes) const;
  void add_overlapping(compaction_plan& plan, unsigned level) const;

  const layer_map& map_;
  const slice_splitter& split_;
  const layer_limits& limits_;
  const timeline_id owner_;
  const unreadable_parts& unreadable_;
  std::vector<size> sizes_;
};

}  // namespace zenith::layers
