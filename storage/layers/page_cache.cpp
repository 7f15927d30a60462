// Finding, keeping and evicting finished pages.
#include "storage/layers/page_cache.hpp"

#include <algorithm>

namespace zenith::layers {
namespace {

constexpr size_t shard_count = 16;

}  // namespace

page_cache::page_cache(size_t limit_bytes)
    : shards_(limit_bytes >= shard_count * sizeof(page) ? shard_count : 1),
      shard_limit_(limit_bytes / sizeof(page) / shards_.size()) {}

std::optional<page_cache::entry> page_cache::find(uint64_t layer, const key& k, lsn until) {
  const name wanted{layer, k};
  const size_t hash = name_hash{}(wanted);
  shard& s = shard_of(hash);
  std::optional<entry> best;
  {
    const std::lock_guard lock(s.mutex);
    if (const auto places = s.places.find(wanted); places != s.places.end()) {
      slot* newest = nullptr;
      for (const uint32_t place : places->second) {
        slot& candidate = s.slots[place];
        if (candidate.newest <= until && (newest == nullptr || newest->newest < candidate.newest))
          newest = &candidate;
      }
      if (newest != nullptr) {
        newest->used = true;
        best = entry{newest->newest, newest->data};
      }
    }
  }
  if (best) hits_.fetch_add(1, std::memory_order_relaxed);
  return best;
}

void page_cache::put(uint64_t layer, const key& k, lsn newest, const page& p) {
  misses_.fetch_add(1, std::memory_order_relaxed);
  if (shard_limit_ == 0) return;
  auto copy = std::make_shared<const page>(p);
  const name of{layer, k};
  shard& s = shard_of(name_hash{}(of));
  const std::lock_guard lock(s.mutex);
  if (const auto places = s.places.find(of); places != s.places.end())
    for (const uint32_t place : places->second) {
      slot& other = s.slots[place];
      if (other.newest == newest) return;
      // Readers mostly go forward in time: the page's older states may leave first.
      if (other.newest < newest) other.used = false;
    }
  uint32_t place = 0;
  if (s.slots.size() < shard_limit_) {
    place = static_cast<uint32_t>(s.slots.size());
    s.slots.emplace_back();
  } else {
    place = evict(s);
  }
  // Not used yet: a scan that reads each page once leaves the pages that are used alone.
  s.slots[place] = {of, newest, std::move(copy), false};
  s.places[of].push_back(place);
}

/// Gives a slot that is free now.
uint32_t page_cache::evict(shard& s) {
  while (s.slots[s.hand].used) {
    s.slots[s.hand].used = false;
    s.hand = (s.hand + 1) % s.slots.size();
  }
  const auto place = static_cast<uint32_t>(s.hand);
  s.hand = (s.hand + 1) % s.slots.size();
  const auto places = s.places.find(s.slots[place].of);
  std::erase(places->second, place);
  if (places->second.empty()) s.places.erase(places);
  return place;
}

size_t page_cache::size_bytes() const {
  size_t pages = 0;
  for (const shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    pages += s.slots.size();
  }
  return pages * sizeof(page);
}

}  // namespace zenith::layers
