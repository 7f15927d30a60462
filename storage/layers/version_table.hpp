// version_table: a hash table from keys to their versions, in an arena, without deletion or locks.
//
// One thread writes while any number read. A key's versions lie in runs, each twice as long as the
// one before it up to a bound, that never move: a reader that found the newest run finds all older
// ones. Each step is published by one release store, of a run's size, of a slot's newest run or of
// the table's slots, and readers load these with acquire; what lies behind them was written before.
// Slots that were grown out of stay until the table is destroyed, as readers may still be in them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "storage/base/key.hpp"
#include "storage/base/lsn.hpp"
#include "storage/layers/arena.hpp"
#include "storage/layers/version_entry.hpp"

namespace zenith::layers {

/// One version of one key: 16 bytes. What it is lies in an arena, at an address whose three free
/// low bits hold the kind.
class version {
 public:
  using kind = version_kind;

  version(lsn at, kind what, const void* data) : at_(at), tagged_(tagged(what, data)) {}

  /// From this LSN on it counts.
  lsn at() const { return at_; }
  kind what() const { return static_cast<kind>(tagged_ & 7); }
  const std::byte* data() const {
    return reinterpret_cast<const std::byte*>(tagged_ & ~uintptr_t{7});
  }
  bool is_record() const { return what() <= kind::initialises; }

  /// Of the newest version only, before its LSN is published: readers look no further than at().
  void replace(const version& other) { tagged_ = other.tagged_; }

 private:
  static uintptr_t tagged(kind what, const void* data) {
    return reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(what);
  }
  lsn at_;
  uintptr_t tagged_;
};
static_assert(sizeof(version) == 16);

/// Versions of one key by rising LSN, at least one; behind it in the arena.
struct version_run {
  const version_run* older;
  std::atomic<uint32_t> size;
  uint32_t capacity;
  lsn last;  ///< of the newest version; the writer's own

  const version* begin() const { return reinterpret_cast<const version*>(this + 1); }
  version* begin() { return reinterpret_cast<version*>(this + 1); }
  const version* end() const { return begin() + size.load(std::memory_order_acquire); }
  /// The end of the versions at or before an LSN.
  const version* end_at(lsn until) const {
    const version* const last = end();
    if ((last - 1)->at() <= until) return last;
    return std::upper_bound(begin(), last, until,
                            [](lsn at, const version& v) { return at < v.at(); });
  }
};
static_assert(sizeof(version_run) == 24);

/// Open addressing with linear probing; a slot without a run is free.
class version_table {
 public:
  static constexpr uint32_t run_versions_max = 256;

  struct slot {
    key k;
    std::atomic<version_run*> newest{nullptr};
  };

  /// The newest run of the key's versions; nullptr where it has none. From any thread.
  const version_run* find(const key& k, size_t hash) const {
    const slot_array* const all = slots_.load(std::memory_order_acquire);
    if (all == nullptr) return nullptr;
    for (size_t at = hash & all->mask;; at = (at + 1) & all->mask) {
      const slot& s = all->slots[at];
      const version_run* const run = s.newest.load(std::memory_order_acquire);
      if (run == nullptr || same(s.k, k)) return run;
    }
  }

  /// Adds a version, whose LSN is not below that of the key's newest one. Of several at one LSN
  /// the last counts, but a record that initialises stays one. Gives whether the key is new.
  bool put(const key& k, size_t hash, const version& v, arena& memory) {
    if ((used_ + 1) * 4 > capacity() * 3) grow();
    slot& s = probe(*arrays_.back(), k, hash);
    version_run* const newest = s.newest.load(std::memory_order_relaxed);
    if (newest == nullptr) {
      s.k = k;
      ++used_;
      ++versions_;
      s.newest.store(make_run(nullptr, 1, v, memory), std::memory_order_release);
      return true;
    }
    const uint32_t size = newest->size.load(std::memory_order_relaxed);
    if (newest->last == v.at()) {
      version& last = newest->begin()[size - 1];
      const bool initialised = last.what() == version::kind::initialises && v.is_record();
      if (!initialised) last.replace(v);
      return false;
    }
    ++versions_;
    if (size < newest->capacity) {
      newest->last = v.at();
      new (newest->begin() + size) version(v);
      newest->size.store(size + 1, std::memory_order_release);
    } else {
      const uint32_t capacity = std::min(newest->capacity * 2, run_versions_max);
      s.newest.store(make_run(newest, capacity, v, memory), std::memory_order_release);
    }
    return false;
  }

  /// Asks memory for what put() will look at first. For the writer.
  void prefetch(size_t hash) const {
    if (!arrays_.empty()) __builtin_prefetch(&arrays_.back()->slots[hash & arrays_.back()->mask]);
  }

  size_t versions() const { return versions_; }
  size_t keys() const { return used_; }
  /// What slots take; runs are the arena's.
  size_t size_bytes() const { return size_bytes_; }

  /// Calls back for each key with its newest run. From any thread; what is put meanwhile may be
  /// missing.
  template <class Each>
  void for_each(const Each& each) const {
    const slot_array* const all = slots_.load(std::memory_order_acquire);
    if (all == nullptr) return;
    for (size_t at = 0; at <= all->mask; ++at)
      if (const auto* run = all->slots[at].newest.load(std::memory_order_acquire))
        each(all->slots[at].k, *run);
  }

 private:
  static constexpr size_t first_slots = 8;

  struct slot_array {
    explicit slot_array(size_t count)
        : mask(count - 1),
          memory(count * sizeof(slot)),
          slots(reinterpret_cast<slot*>(memory.data())) {
      std::uninitialized_value_construct_n(slots, count);
    }
    const size_t mask;
    const memory_block memory;
    slot* const slots;
  };

  /// What differs between the keys of one layer is compared first.
  static bool same(const key& a, const key& b) {
    return a.d == b.d && a.c == b.c && a.kind == b.kind && a.fork == b.fork && a.b == b.b &&
           a.a == b.a;
  }
  static slot& probe(slot_array& all, const key& k, size_t hash) {
    for (size_t at = hash & all.mask;; at = (at + 1) & all.mask) {
      slot& s = all.slots[at];
      if (s.newest.load(std::memory_order_relaxed) == nullptr || same(s.k, k)) return s;
    }
  }
  static version_run* make_run(const version_run* older, uint32_t capacity, const version& v,
                               arena& memory) {
    std::byte* const piece = memory.allocate(sizeof(version_run) + capacity * sizeof(version));
    auto* const run = new (piece) version_run{older, 1, capacity, v.at()};
    new (run->begin()) version(v);
    return run;
  }
  size_t capacity() const { return arrays_.empty() ? 0 : arrays_.back()->mask + 1; }
  void grow() {
    const size_t before = capacity();
    const size_t after = before == 0 ? first_slots : before * 2;
    auto larger = std::make_unique<slot_array>(after);
    for (size_t at = 0; at < before; ++at) {
      const slot& s = arrays_.back()->slots[at];
      version_run* const run = s.newest.load(std::memory_order_relaxed);
      if (run == nullptr) continue;
      slot& moved = probe(*larger, s.k, std::hash<key>{}(s.k));
      moved.k = s.k;
      moved.newest.store(run, std::memory_order_relaxed);
    }
    size_bytes_ += sizeof(slot_array) + after * sizeof(slot);
    arrays_.push_back(std::move(larger));
    slots_.store(arrays_.back().get(), std::memory_order_release);
  }

  std::atomic<const slot_array*> slots_{nullptr};
  std::vector<std::unique_ptr<slot_array>> arrays_;  // the last one counts
  size_t used_ = 0;
  size_t versions_ = 0;
  size_t size_bytes_ = 0;
};
static_assert(sizeof(version_table::slot) == 32);

}  // namespace zenith::layers
