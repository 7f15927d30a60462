// Putting versions into memory and finding them there.
#include "storage/layers/memory_layer.hpp"

#include <mutex>

#include "storage/base/assert.hpp"

namespace zenith::layers {

/// In front of a record's bytes in the arena. Where it ends is in the versions that name it.
struct memory_layer::stored_record {
  lsn start;
  uint64_t size_bytes;

  byte_view data() const { return {reinterpret_cast<const std::byte*>(this + 1), size_bytes}; }
};

namespace {

struct stored_copy {
  key source;
  lsn source_at;
};

}  // namespace

memory_layer::memory_layer(lsn start) : start_(start), published_(start.value()) {
  size_bytes_.store(sizeof(*this), std::memory_order_relaxed);
}

result<void> memory_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  const size_t hash = std::hash<key>{}(k);
  const shard& s = shard_of(hash);
  const std::shared_lock lock(s.mutex);
  const version_list* const versions = s.table.find(k, hash);
  if (versions == nullptr) return {};
  for (const version* v = versions->end_at(until); v != versions->begin();) {
    --v;
    if (v->at() <= after) break;
    using kind = version::kind;
    switch (v->what()) {
      case kind::changes:
      case kind::initialises: {
        const auto* const stored = reinterpret_cast<const stored_record*>(v->data());
        history.records.push_back({stored->start, v->at(), stored->data()});
        if (v->what() == kind::changes) break;
        history.state = key_history::state_kind::zero;
        return {};
      }
      case kind::value: {
        const std::byte* const stored = v->data();
        history.value.assign(stored + sizeof(uint64_t),
                             stored + sizeof(uint64_t) + load<uint64_t>(stored));
        history.state = key_history::state_kind::value;
        return {};
      }
      case kind::absent:
        history.state = key_history::state_kind::absent;
        return {};
      case kind::copy: {
        const auto copied = load<stored_copy>(v->data());
        history.source = copied.source;
        history.source_lsn = copied.source_at;
        history.state = key_history::state_kind::copy;
        return {};
      }
    }
  }
  return {};
}

result<void> memory_layer::list(const key& first, const key& last, lsn until,
                                const std::function<void(const key&)>& each) const {
  // Called back without the lock, so that the callback may ask this layer anything.
  std::vector<key> found;
  {
    const std::shared_lock lock(order_mutex_);
    for (auto it = order_.lower_bound(first); it != order_.end() && it->first <= last; ++it)
      if (it->second <= until) found.push_back(it->first);
  }
  for (const key& k : found) each(k);
  return {};
}

const memory_layer::stored_record* memory_layer::add_record(lsn start, byte_view record_bytes) {
  std::byte* const piece = arena_.allocate(sizeof(stored_record) + record_bytes.size());
  auto* const stored = new (piece) stored_record{start, record_bytes.size()};
  std::copy(record_bytes.begin(), record_bytes.end(), piece + sizeof(stored_record));
  account_arena();
  return stored;
}

void memory_layer::put_record(const key& k, lsn end, const stored_record* stored,
                              redo::record_effect effect) {
  const auto what = effect == redo::record_effect::initialises ? version::kind::initialises
                                                               : version::kind::changes;
  put(k, version(end, what, stored));
}

void memory_layer::put_value(const key& k, lsn at, byte_view value) {
  std::byte* const piece = arena_.allocate(sizeof(uint64_t) + value.size());
  store(piece, uint64_t{value.size()});
  std::copy(value.begin(), value.end(), piece + sizeof(uint64_t));
  account_arena();
  put(k, version(at, version::kind::value, piece));
}

void memory_layer::put_absent(const key& k, lsn at) {
  put(k, version(at, version::kind::absent, nullptr));
}

void memory_layer::put_copy(const key& k, lsn at, const key& source, lsn source_at) {
  std::byte* const piece = arena_.allocate(sizeof(stored_copy));
  new (piece) stored_copy{source, source_at};
  account_arena();
  put(k, version(at, version::kind::copy, piece));
}

void memory_layer::put_unknown(const key_pattern& keys, lsn at, const error& why) {
  // Every read looks through all of them.
  constexpr size_t unknowns_max = 256;
  const key_pattern kept = unknowns_.size() < unknowns_max ? keys : key_pattern::all(keys.kind);
  for (const unknown_state& one : unknowns_)
    if (one.keys == kept || one.keys == key_pattern::all(kept.kind)) return;
  unknowns_.push_back({kept, at, why, unknown_.load(std::memory_order_relaxed)});
  unknown_.store(&unknowns_.back(), std::memory_order_release);
}

void memory_layer::put(const key& k, const version& v) {
  ZENITH_ASSERT(v.at().value() > published_.load(std::memory_order_relaxed));
  const size_t hash = std::hash<key>{}(k);
  size_t grown_bytes = 0;
  bool is_first = false;
  {
    auto& s = const_cast<shard&>(shard_of(hash));
    const std::unique_lock lock(s.mutex);
    version_list& versions = s.table.find_or_add(k, hash, grown_bytes);
    is_first = versions.size() == 0;
    version* const newest = is_first ? nullptr : &versions.back();
    ZENITH_ASSERT(newest == nullptr || newest->at() <= v.at());
    if (newest != nullptr && newest->at() == v.at() && newest->is_record() && v.is_record()) {
      if (v.what() == version::kind::initialises) *newest = v;
      return;
    }
    if (newest != nullptr && newest->at() == v.at() && !v.is_record() && !newest->is_record())
      *newest = v;  // what one record says last about a key is what it says
    else
      grown_bytes += versions.push_back(v);
  }
  if (is_first && k.kind != key_kind::relation_block) {
    const std::unique_lock lock(order_mutex_);
    order_.emplace(k, v.at());
    grown_bytes += sizeof(std::map<key, lsn>::value_type) + 4 * sizeof(void*);
  }
  versions_.fetch_add(1, std::memory_order_relaxed);
  if (grown_bytes != 0) size_bytes_.fetch_add(grown_bytes, std::memory_order_relaxed);
}

void memory_layer::account_arena() {
  const size_t now = arena_.size_bytes();
  if (now == arena_counted_bytes_) return;
  size_bytes_.fetch_add(now - arena_counted_bytes_, std::memory_order_relaxed);
  arena_counted_bytes_ = now;
}

void memory_layer::publish(lsn until) {
  ZENITH_ASSERT(until.value() >= published_.load(std::memory_order_relaxed));
  published_.store(until.value(), std::memory_order_release);
}

}  // namespace zenith::layers
