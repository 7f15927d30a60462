// Finding, keeping and evicting what keys were.
#include "storage/layers/history_cache.hpp"

#include <algorithm>
#include <atomic>

#include "storage/base/bytes.hpp"
#include "storage/base/relation_state.hpp"

namespace zenith::layers {

history_id new_history() {
  static std::atomic<uint64_t> last{0};
  return history_id{last.fetch_add(1, std::memory_order_relaxed) + 1};
}

template <class Value>
history_cache<Value>::history_cache(size_t limit_bytes)
    : limit_bytes_(limit_bytes), shards_(limit_bytes >= (size_t{4} << 20) ? 16 : 1) {}

template <class Value>
size_t history_cache<Value>::hash_of(history_id history, size_t key_hash) {
  const uint64_t h = key_hash ^ (static_cast<uint64_t>(history) * 0x9e3779b97f4a7c15u);
  return h ^ (h >> 32);
}

template <class Value>
auto history_cache<Value>::find(history_id history, const key& k, lsn at) -> std::optional<entry> {
  const size_t key_hash = std::hash<key>{}(k);
  shard& s = shard_of(key_hash);
  const std::lock_guard lock(s.mutex);
  if (s.buckets.empty()) return std::nullopt;
  slot* best = nullptr;
  for (uint32_t i = bucket_of(s, hash_of(history, key_hash)); i != none; i = s.slots[i].next) {
    slot& one = s.slots[i];
    if (one.history == history && one.newest <= at && one.of == k &&
        (best == nullptr || best->newest < one.newest))
      best = &one;
  }
  if (best == nullptr) return std::nullopt;
  best->used = true;
  ++s.hits;
  return entry{best->newest, best->known_until, best->data};
}

template <class Value>
void history_cache<Value>::put(history_id history, const key& k, const entry& added) {
  const size_t key_hash = std::hash<key>{}(k);
  const size_t hash = hash_of(history, key_hash);
  shard& s = shard_of(key_hash);
  const size_t limit = limit_bytes_ / shards_.size();
  if (added.data->size_bytes_ + slot_bytes > limit) return;
  const std::lock_guard lock(s.mutex);
  if (s.buckets.empty()) s.buckets.assign(64, none);
  unsigned states = 0;
  uint32_t oldest = none;
  for (uint32_t i = bucket_of(s, hash); i != none; i = s.slots[i].next) {
    slot& one = s.slots[i];
    if (one.history != history || one.of != k) continue;
    if (one.newest == added.newest) {
      one.known_until = std::max(one.known_until, added.known_until);
      return;
    }
    ++states;
    if (oldest == none || one.newest < s.slots[oldest].newest) oldest = i;
    // Readers mostly go forward in time: older states may leave first.
    if (one.newest < added.newest) one.used = false;
  }
  if (states >= states_of_key_max) remove(s, oldest);
  size_t more = slot_bytes + (added.data->entries_ == 0 ? added.data->size_bytes_ : 0);
  while (s.bytes + more > limit) {
    evict(s);
    more = slot_bytes + (added.data->entries_ == 0 ? added.data->size_bytes_ : 0);
  }
  if (added.data->entries_++ == 0) ++s.misses;
  s.bytes += more;
  if (s.taken == s.buckets.size()) grow(s);
  const uint32_t place = take(s);
  uint32_t& bucket = bucket_of(s, hash);
  // Not used yet: what is read once leaves what is read often alone.
  s.slots[place] = {history, k, added.newest, added.known_until, added.data, bucket, false};
  bucket = place;
}

/// Twice the buckets.
template <class Value>
void history_cache<Value>::grow(shard& s) {
  s.buckets.assign(2 * s.buckets.size(), none);
  for (uint32_t i = 0; i < s.slots.size(); ++i) {
    slot& one = s.slots[i];
    if (!one.data) continue;
    uint32_t& bucket = bucket_of(s, hash_of(one.history, std::hash<key>{}(one.of)));
    one.next = bucket;
    bucket = i;
  }
}

/// Gives a slot that is free.
template <class Value>
uint32_t history_cache<Value>::take(shard& s) {
  ++s.taken;
  if (s.free != none) {
    const uint32_t place = s.free;
    s.free = s.slots[place].next;
    return place;
  }
  s.slots.emplace_back();
  return static_cast<uint32_t>(s.slots.size() - 1);
}

template <class Value>
void history_cache<Value>::remove(shard& s, uint32_t place) {
  slot& gone = s.slots[place];
  uint32_t* link = &bucket_of(s, hash_of(gone.history, std::hash<key>{}(gone.of)));
  while (*link != place) link = &s.slots[*link].next;
  *link = gone.next;
  s.bytes -= slot_bytes;
  if (--gone.data->entries_ == 0) s.bytes -= gone.data->size_bytes_;
  gone.data.reset();
  gone.next = s.free;
  s.free = place;
  --s.taken;
}

/// Removes one entry that was not used lately. There is one.
template <class Value>
void history_cache<Value>::evict(shard& s) {
  for (;;) {
    const size_t place = s.hand;
    s.hand = (s.hand + 1) % s.slots.size();
    slot& one = s.slots[place];
    if (!one.data) continue;
    if (!one.used) return remove(s, static_cast<uint32_t>(place));
    one.used = false;
  }
}

template <class Value>
size_t history_cache<Value>::size_bytes() const {
  size_t all = 0;
  for (const shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    all += s.bytes;
  }
  return all;
}

template <class Value>
uint64_t history_cache<Value>::hits() const {
  uint64_t all = 0;
  for (const shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    all += s.hits;
  }
  return all;
}

template <class Value>
uint64_t history_cache<Value>::misses() const {
  uint64_t all = 0;
  for (const shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    all += s.misses;
  }
  return all;
}

template class history_cache<page>;
template class history_cache<std::optional<relation_state>>;

}  // namespace zenith::layers
