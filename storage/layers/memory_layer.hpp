// memory_layer: the versions of one timeline in memory, one writer and many readers at once.
//
// Why a reader sees whole versions: the writer fills a piece of the arena, then appends a version
// that points to it while it holds the key's shard exclusively, and only after all versions up to
// an LSN are in place stores that LSN in published_ (release). A reader learns the LSN from
// published() (acquire), or by a message that was sent after such a load; so every unlock by the
// writer happened before the reader's shared lock of the shard, and it finds each of those
// versions there, filled. Versions past its LSN may come and go meanwhile; it passes over them.
// Only versions past the published LSN are ever replaced, and arena bytes never are: what a reader
// was given stays valid after the lock, for as long as somebody holds the layer.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <shared_mutex>

#include "storage/layers/arena.hpp"
#include "storage/layers/layer.hpp"
#include "storage/layers/version_table.hpp"
#include "storage/redo/redo.hpp"

namespace zenith::layers {

class memory_layer final : public layer {
 public:
  /// Versions lie after this LSN.
  explicit memory_layer(lsn start);

  /// Everything up to this LSN is here and never changes.
  lsn published() const { return lsn{published_.load(std::memory_order_acquire)}; }
  /// Where it starts.
  lsn start() const { return start_; }
  /// What versions, tables and the arena take. From any thread.
  size_t size_bytes() const { return size_bytes_.load(std::memory_order_relaxed); }
  /// How many versions there are. From any thread.
  size_t versions() const { return versions_.load(std::memory_order_relaxed); }

  result<void> collect(const key& k, lsn after, lsn until, key_history& history) const override;
  result<void> list(const key& first, const key& last, lsn until,
                    const std::function<void(const key&)>& each) const override;
  const unknown_state* unknown() const override { return unknown_.load(std::memory_order_acquire); }

  // For the one writer. LSNs never fall, and lie after published().

  /// A record in the arena.
  struct stored_record;
  /// Copies a record into the arena, once for all the keys that it changes.
  const stored_record* add_record(lsn start, byte_view record_bytes);
  /// The same record put twice under one key counts once (redo applies it as a whole).
  void put_record(const key& k, lsn end, const stored_record* stored, redo::record_effect effect);
  void put_value(const key& k, lsn at, byte_view value);
  void put_absent(const key& k, lsn at);
  void put_copy(const key& k, lsn at, const key& source, lsn source_at);
  /// From `at` on it is not known what these keys are. Past a bound, keys of one kind are not told
  /// apart any more.
  void put_unknown(const key_pattern& keys, lsn at, const error& why);
  /// Makes all versions up to here visible for good.
  void publish(lsn until);

 private:
  static constexpr size_t shard_bits = 6;
  struct alignas(64) shard {
    mutable std::shared_mutex mutex;
    version_table table;
  };

  const shard& shard_of(size_t hash) const { return shards_[hash >> (64 - shard_bits)]; }
  void put(const key& k, const version& v);
  void account_arena();

  const lsn start_;
  std::array<shard, size_t{1} << shard_bits> shards_;
  mutable std::shared_mutex order_mutex_;
  std::map<key, lsn> order_;  // keys other than blocks, each with its first version's LSN
  arena arena_;
  size_t arena_counted_bytes_ = 0;
  std::deque<unknown_state> unknowns_;  // oldest first; the writer's own
  std::atomic<const unknown_state*> unknown_{nullptr};
  std::atomic<uint64_t> published_;
  std::atomic<size_t> size_bytes_{0};
  std::atomic<size_t> versions_{0};
};

}  // namespace zenith::layers
