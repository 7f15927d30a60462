// history_cache: what keys were over ranges of LSNs, for all histories, bounded in bytes.
//
// A history is what a timeline's keys were at every LSN, its ancestors' part included. An entry is
// (history, key, newest, known_until, value), and its contract is: as of every LSN from `newest` to
// `known_until`, both included, the key is `value` in that history. `newest` is the LSN of the
// version that made it so, and no version of the key lies after it, up to `known_until`.
//
// That is a fact of the history, whichever layers it lies in: merges move versions, and leave out
// only such as no LSN needs that may still be asked for; versions at or before an LSN that was
// published never change. So an entry never becomes wrong, and for an LSN past `known_until` only
// versions after `known_until` have to be looked for: where there is none, `known_until` rises,
// else they are applied to `value`, which gives the next entry.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"

namespace zenith::layers {

/// Names a history in this process; no two ever have the same. A timeline that is opened again has
/// a new one, because what was not durable may be gone.
enum class history_id : uint64_t {};
history_id new_history();

/// Thread-safe. A value that was given out stays valid when it is evicted.
template <class Value>
class history_cache {
 public:
  /// A value that any number of entries of one key may share; it is counted once.
  class held {
   public:
    struct unfilled {};
    held(const Value& of, size_t size_bytes) : size_bytes_(size_bytes), value(of) {}
    /// Whoever made it writes all of the value, before anybody else has it.
    held(unfilled, size_t size_bytes) requires std::is_trivially_copyable_v<Value>
        : size_bytes_(size_bytes) {}
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    ~held() { std::destroy_at(&value); }

   private:
    friend class history_cache;
    const size_t size_bytes_;
    mutable uint32_t entries_ = 0;  // that the cache has; under the shard's lock

   public:
    // Last, so that evicting a large one reads no more than a line of its memory.
    union {
      Value value;
    };
  };
  using held_ptr = std::shared_ptr<const held>;

  struct entry {
    lsn newest;
    lsn known_until;
    held_ptr data;
  };

  explicit history_cache(size_t limit_bytes);

  /// The entry with the largest `newest` at or before an LSN; the LSN may lie past known_until.
  std::optional<entry> find(history_id history, const key& k, lsn at);
  /// Keeps an entry; where there is one with this `newest`, its known_until rises. Of one key in
  /// one history only a few are kept. `added.data` was never given under another key.
  void put(history_id history, const key& k, const entry& added);

  /// What entries and values take, about; never more than the limit.
  size_t size_bytes() const;
  size_t limit_bytes() const { return limit_bytes_; }
  /// Entries found, and values that were put.
  uint64_t hits() const;
  uint64_t misses() const;

 private:
  static constexpr uint32_t none = ~uint32_t{0};
  static constexpr unsigned states_of_key_max = 8;

  struct slot {
    history_id history{};
    key of;
    lsn newest;
    lsn known_until;
    held_ptr data;
    uint32_t next = none;  // in the bucket's chain, or of the free ones
    bool used = false;     // since the clock's hand passed
  };
  // What a slot takes beside its value: itself, twice for the vector's growth, and its bucket.
  static constexpr size_t slot_bytes = 2 * sizeof(slot) + 2 * sizeof(uint32_t);

  /// Slots in a ring through which the hand of a CLOCK goes; buckets find those of one key.
  struct alignas(64) shard {
    mutable std::mutex mutex;
    std::vector<slot> slots;
    std::vector<uint32_t> buckets;
    uint32_t free = none;
    size_t taken = 0;  // slots that are not free
    size_t hand = 0;
    size_t bytes = 0;
    uint64_t hits = 0;
    uint64_t misses = 0;
  };

  /// All entries of a key are in one shard, whatever the history, so that they may share a value.
  shard& shard_of(size_t key_hash) { return shards_[(key_hash >> 48) % shards_.size()]; }
  static size_t hash_of(history_id history, size_t key_hash);
  static uint32_t& bucket_of(shard& s, size_t hash) { return s.buckets[hash % s.buckets.size()]; }
  static void grow(shard& s);
  static uint32_t take(shard& s);
  static void remove(shard& s, uint32_t place);
  static void evict(shard& s);

  const size_t limit_bytes_;
  std::vector<shard> shards_;
};

}  // namespace zenith::layers
