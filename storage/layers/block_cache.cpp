// Blocks in shards, each a ring that a hand goes round: what was not used since it came by goes.
#include "storage/layers/block_cache.hpp"

#include <algorithm>
#include <utility>

namespace zenith::layers {
namespace {

/// What a block takes beside its bytes.
constexpr size_t overhead_bytes = 160;
constexpr size_t shards_max = 16;
constexpr size_t shard_bytes_min = size_t{1} << 20;

uint64_t hash_of(uint64_t file, uint64_t offset) {
  uint64_t h = file * 0x9e3779b97f4a7c15u ^ offset;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  h ^= h >> 32;
  return h;
}

}  // namespace

/// Slots are found by a table of open addresses: a place has a slot's number + 1 in its low half,
/// 0 where it is free, and the low half of the slot's hash in its high half. A slot lies at the
/// first free place at or behind its own, and no free place is between the two.
struct block_cache::shard {
  struct slot {
    uint64_t file;
    uint64_t offset;
    block_ptr data;  // nullptr: free
    size_t size_bytes;
    bool used;
  };
  mutable std::mutex mutex;
  std::vector<uint64_t> table = std::vector<uint64_t>(64);
  std::vector<slot> slots;
  std::vector<uint32_t> free;
  size_t hand = 0;
  size_t size_bytes = 0;

  static uint32_t home_of(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
  size_t next(size_t place) const { return (place + 1) & (table.size() - 1); }

  /// The place of a block, or a free one.
  size_t place_of(uint64_t file, uint64_t offset, uint64_t hash) const {
    size_t place = static_cast<uint32_t>(hash) & (table.size() - 1);
    for (; table[place] != 0; place = next(place)) {
      if (home_of(table[place]) != static_cast<uint32_t>(hash)) continue;
      const slot& s = slots[static_cast<uint32_t>(table[place]) - 1];
      if (s.file == file && s.offset == offset) break;
    }
    return place;
  }

  /// Moves back what would not be found any more.
  void free_place(size_t place) {
    for (size_t from = next(place); table[from] != 0; from = next(from)) {
      const size_t mask = table.size() - 1;
      const size_t home = home_of(table[from]) & mask;
      if (((from - home) & mask) < ((from - place) & mask)) continue;
      table[place] = table[from];
      place = from;
    }
    table[place] = 0;
  }

  void grow() {
    const std::vector<uint64_t> old = std::exchange(table, std::vector<uint64_t>(2 * table.size()));
    for (const uint64_t entry : old) {
      if (entry == 0) continue;
      size_t place = home_of(entry) & (table.size() - 1);
      while (table[place] != 0) place = next(place);
      table[place] = entry;
    }
  }

  void make_room(size_t limit_bytes) {
    while (size_bytes > limit_bytes) {
      slot& s = slots[hand];
      if (s.data != nullptr && !s.used) {
        free_place(place_of(s.file, s.offset, hash_of(s.file, s.offset)));
        size_bytes -= s.size_bytes;
        s.data.reset();
        free.push_back(static_cast<uint32_t>(hand));
      }
      s.used = false;
      hand = hand + 1 == slots.size() ? 0 : hand + 1;
    }
  }

  void add(uint64_t file, uint64_t offset, uint64_t hash, const block_ptr& loaded, size_t taken) {
    if (2 * (slots.size() - free.size() + 1) > table.size()) grow();
    auto at = static_cast<uint32_t>(slots.size());
    if (free.empty()) {
      slots.emplace_back();
    } else {
      at = free.back();
      free.pop_back();
    }
    slots[at] = {file, offset, loaded, taken, false};
    table[place_of(file, offset, hash)] = hash << 32 | (at + 1);
    size_bytes += taken;
  }
};

block_cache::block_cache(size_t limit_bytes) : limit_bytes_(limit_bytes) {
  const size_t count = std::clamp<size_t>(limit_bytes / shard_bytes_min, 1, shards_max);
  for (size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<shard>());
}

block_cache::~block_cache() = default;

block_ptr block_cache::find(uint64_t file, uint64_t offset) {
  const uint64_t hash = hash_of(file, offset);
  shard& s = *shards_[(hash >> 32) % shards_.size()];
  const std::lock_guard lock(s.mutex);
  const uint64_t entry = s.table[s.place_of(file, offset, hash)];
  if (entry == 0) return nullptr;
  shard::slot& hit = s.slots[static_cast<uint32_t>(entry) - 1];
  hit.used = true;
  return hit.data;
}

void block_cache::put(uint64_t file, uint64_t offset, const block_ptr& loaded, size_t size_bytes) {
  const size_t limit = limit_bytes_ / shards_.size();
  const size_t taken = size_bytes + overhead_bytes;
  if (taken > limit) return;
  const uint64_t hash = hash_of(file, offset);
  shard& s = *shards_[(hash >> 32) % shards_.size()];
  const std::lock_guard lock(s.mutex);
  if (s.table[s.place_of(file, offset, hash)] != 0) return;
  s.make_room(limit - taken);
  s.add(file, offset, hash, loaded, taken);
}

size_t block_cache::size_bytes() const {
  size_t sum = 0;
  for (const auto& s : shards_) {
    const std::lock_guard lock(s->mutex);
    sum += s->size_bytes;
  }
  return sum;
}

}  // namespace zenith::layers
