// page_cache: finished pages, bounded in bytes, found again by the newest version in them.
//
// A page is a function of the newest version that it holds: (layer, key, LSN of that version).
// For an LSN at which a later version does not count yet, the page is the same one. So find()
// gives the newest page at or before an LSN, and the caller asks the layer only for what came
// after it. This holds because what lies below a layer is the same in every view that has it, and
// because a truncation after a version hides that version (the caller compares).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/base/bytes.hpp"
#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::layers {

/// Thread-safe. A page that was given out stays valid when it is evicted.
class page_cache {
 public:
  explicit page_cache(size_t limit_bytes);

  struct entry {
    lsn newest;  ///< of its versions
    std::shared_ptr<const page> data;
  };
  /// The page with the newest version at or before `until`. `layer`: layer::identity().
  std::optional<entry> find(uint64_t layer, const key& k, lsn until);
  void put(uint64_t layer, const key& k, lsn newest, const page& p);

  /// How many pages it holds at most, and what they take.
  size_t limit_bytes() const { return shard_limit_ * shards_.size() * sizeof(page); }
  size_t size_bytes() const;
  /// Pages found, and pages that were made and put.
  uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  uint64_t misses() const { return misses_.load(std::memory_order_relaxed); }

 private:
  struct name {
    uint64_t layer;
    key k;
    bool operator==(const name&) const = default;
  };
  struct name_hash {
    size_t operator()(const name& n) const {
      return std::hash<key>{}(n.k) ^ (n.layer * 0x9e3779b97f4a7c15u);
    }
  };
  struct slot {
    name of{};
    lsn newest;
    std::shared_ptr<const page> data;
    bool used = false;  // since the clock's hand passed
  };
  /// Pages in a ring through which the hand of a CLOCK goes; the map finds those of one key.
  struct alignas(64) shard {
    mutable std::mutex mutex;
    std::vector<slot> slots;
    std::unordered_map<name, std::vector<uint32_t>, name_hash> places;
    size_t hand = 0;
  };

  shard& shard_of(size_t hash) { return shards_[(hash >> 48) % shards_.size()]; }
  static uint32_t evict(shard& s);

  std::vector<shard> shards_;
  size_t shard_limit_;  // pages
  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
};

}  // namespace zenith::layers
