// Putting versions into memory and finding them there.
#include "storage/layers/memory_layer.hpp"

#include <mutex>

#include "storage/base/assert.hpp"
#include "storage/layers/version_in_memory.hpp"
#include "storage/postgres/stored_record.hpp"

namespace zenith::layers {
namespace {

/// Gives whether an older version is needed. Error: limit.
result<bool> add_to(const version& v, key_history& history) {
  switch (v.what()) {
    case version_kind::changes:
    case version_kind::initialises: {
      const auto& stored = stored_as<memory_layer::stored_record>(v);
      ZENITH_TRY(history.add({stored.start, v.at(), stored.data()}));
      if (v.what() == version_kind::changes) return true;
      history.end_with_zeros();
      return false;
    }
    case version_kind::value:
      history.end_with_value(v.at(), stored_as<stored_value>(v).data());
      return false;
    case version_kind::absent:
      history.end_with_absence(v.at());
      return false;
    case version_kind::copy: {
      const auto& stored = stored_as<stored_copy>(v);
      history.end_with_copy(v.at(), stored.source, stored.source_at);
      return false;
    }
  }
  return false;
}

}  // namespace

memory_layer::memory_layer(lsn start) : start_(start), published_(start.value()) { account(); }

result<void> memory_layer::collect(const key& k, lsn after, lsn until, key_history& history) const {
  for (const version_run* run = table_.find(k, std::hash<key>{}(k)); run != nullptr;
       run = run->older) {
    if (run->begin()->at() > until) continue;
    for (const version* v = run->end_at(until); v != run->begin();) {
      --v;
      if (v->at() <= after) return {};
      ZENITH_TRY_ASSIGN(const bool goes_on, add_to(*v, history));
      if (!goes_on) return {};
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

memory_layer::stored_record* memory_layer::copy_record(lsn start, byte_view record_bytes,
                                                       bool is_short) {
  ZENITH_ASSERT(record_bytes.size() <= UINT32_MAX);
  std::byte* const piece = arena_.allocate(sizeof(stored_record) + record_bytes.size());
  auto* const stored = new (piece)
      stored_record{start, static_cast<uint32_t>(record_bytes.size()), is_short ? 1u : 0u};
  std::copy(record_bytes.begin(), record_bytes.end(), piece + sizeof(stored_record));
  account();
  return stored;
}

const memory_layer::stored_record* memory_layer::add_record(lsn start, byte_view record_bytes) {
  return copy_record(start, record_bytes, false);
}

const memory_layer::stored_record* memory_layer::add_short_record(lsn start,
                                                                  byte_view record_bytes) {
  stored_record* const stored = copy_record(start, record_bytes, true);
  pg::clear_crc_and_link({reinterpret_cast<std::byte*>(stored + 1), record_bytes.size()});
  return stored;
}

void memory_layer::put_record(const key& k, lsn end, const stored_record* stored,
                              redo::record_effect effect) {
  const auto what = effect == redo::record_effect::initialises ? version::kind::initialises
                                                               : version::kind::changes;
  put(k, version(end, what, stored));
}

void memory_layer::put_value(const key& k, lsn at, byte_view value) {
  std::byte* const piece = arena_.allocate(sizeof(stored_value) + value.size());
  new (piece) stored_value{value.size()};
  std::copy(value.begin(), value.end(), piece + sizeof(stored_value));
  put(k, version(at, version::kind::value, piece));
}

void memory_layer::put_absent(const key& k, lsn at) {
  put(k, version(at, version::kind::absent, nullptr));
}

void memory_layer::put_copy(const key& k, lsn at, const key& source, lsn source_at) {
  std::byte* const piece = arena_.allocate(sizeof(stored_copy));
  new (piece) stored_copy{source, source_at};
  put(k, version(at, version::kind::copy, piece));
}

void memory_layer::put_unknown(const key_pattern& keys, lsn at, const error& why) {
  // Every read looks through all of them.
  constexpr size_t unknowns_max = 256;
  const key_pattern kept = unknowns_.size() < unknowns_max ? keys : key_pattern::all(keys.kind);
  for (const auto& one : unknowns_)
    if (one->keys == kept || one->keys == key_pattern::all(kept.kind)) return;
  unknowns_.push_back(std::make_unique<unknown_state>(
      unknown_state{kept, at, why, unknown_.load(std::memory_order_relaxed)}));
  unknown_.store(unknowns_.back().get(), std::memory_order_release);
}

void memory_layer::put_transaction_end(int64_t time_us, lsn start, lsn end, int64_t newest_before,
                                       lsn previous) {
  ends_.append(std::max(time_us, newest_before), start, end, previous);
  account();
}

void memory_layer::put(const key& k, const version& v) {
  ZENITH_ASSERT(v.at().value() > published_.load(std::memory_order_relaxed));
  const bool is_first = table_.put(k, std::hash<key>{}(k), v, arena_);
  if (is_first && k.kind != key_kind::relation_block) {
    const std::unique_lock lock(order_mutex_);
    order_.emplace(k, v.at());
  }
  versions_.store(table_.versions(), std::memory_order_relaxed);
  account();
}

void memory_layer::account() {
  constexpr size_t order_entry_bytes = sizeof(decltype(order_)::value_type) + 4 * sizeof(void*);
  size_bytes_.store(sizeof(*this) + arena_.size_bytes() + table_.size_bytes() + ends_.size_bytes() +
                        order_.size() * order_entry_bytes,
                    std::memory_order_relaxed);
}

void memory_layer::publish(lsn until) {
  ZENITH_ASSERT(until.value() >= published_.load(std::memory_order_relaxed));
  published_.store(until.value(), std::memory_order_release);
}

}  // namespace zenith::layers
