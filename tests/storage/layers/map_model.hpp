// map_model: a timeline's layer files as plain sets of versions, merged by real plans.
#pragma once

#include <map>
#include <random>
#include <set>

#include "storage/layers/pick_compaction.hpp"
#include "tests/storage/layers/map_samples.hpp"

namespace zenith::layers {

/// Says which keys the next flushed file has, out of [0, keys).
enum class key_choice { anywhere, few, rising };

class map_model {
 public:
  static constexpr uint64_t version_bytes = 100;
  using version = std::pair<uint32_t, uint64_t>;  // block, LSN

  map_model(const layer_limits& limits, uint32_t keys, uint64_t seed);

  /// An image of all keys in the last level, before anything else.
  void begin_with_base();
  void flush(size_t versions, key_choice choice);
  /// Does the merge that is due, and checks what has to hold of it; false where none is.
  bool merge(const retention& keep = {}, collecting also = collecting::no);
  /// Goes on as a branch that leaves at a random LSN, so many before the end at most.
  void branch(uint64_t back_max = 4000);
  /// Compares what the map leads to with all that was ever put.
  void check() const;

  /// Of all versions of one key, the most there are.
  uint64_t largest_key_bytes() const;

  const layer_map& map() const { return map_; }
  lsn end() const { return lsn{end_}; }
  uint64_t flushed_bytes = 0;
  uint64_t merged_bytes = 0;
  uint64_t read_bytes_max = 0;  ///< of merges of levels from 1 on
  std::set<version> expected;
  unreadable_parts unreadable;  ///< no merge may read these

 private:
  using contents = std::vector<version>;  // by rising block, newest first
  layer_file_info add_file(contents versions, lsn after, lsn last, layer_kind kind);
  contents read(const layer_slice& slice, const key& first, const key& last) const;
  contents merged(const compaction_plan& plan, const retention& keep) const;

  const layer_limits limits_;
  const uint32_t keys_;
  std::mt19937_64 random_;
  layer_map map_;
  std::map<layer_name, contents> files_;
  uint8_t timeline_ = 1;
  uint64_t next_number_ = 1;
  uint64_t end_ = 1000;
  uint32_t rising_ = 0;
};

}  // namespace zenith::layers
