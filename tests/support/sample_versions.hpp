// sample_versions: versions of keys of every kind, for what writes and reads layer files.
#pragma once

#include <map>
#include <random>

#include "storage/layers/version_entry.hpp"

namespace zenith::testing {

using layers::version_kind;

/// A version that owns its data.
struct sample_version {
  version_kind kind{};
  bytes data;
  lsn record_start;
  key source;
  lsn source_at;

  bool operator==(const sample_version&) const = default;
};
/// By key, then newest first: the order of version_cursor.
using sample_versions = std::map<key, std::map<lsn, sample_version, std::greater<>>>;

inline bytes random_bytes(std::mt19937_64& random, size_t size) {
  bytes value(size);
  for (auto& b : value) b = static_cast<std::byte>(random());
  return value;
}

/// Keys of all kinds but transaction ends, some with many versions; LSNs in after < LSN <= last.
inline sample_versions random_versions(uint64_t seed, size_t keys, lsn after, lsn last) {
  std::mt19937_64 random(seed);
  sample_versions all;
  for (size_t i = 0; i < keys; ++i) {
    key k;
    switch (random() % 8) {
      case 0:
        k = key{static_cast<key_kind>(1 + random() % 13), 1, 2, 3, 0, 4};
        break;
      case 1:
        k = key::slru(all_slrus[random() % 4], static_cast<uint32_t>(random() % 9));
        break;
      case 2:
        k = key::size({1663, 5, static_cast<uint32_t>(random() % 99)}, fork_number::main);
        break;
      default:
        k = key::block({1663, 5, static_cast<uint32_t>(16384 + random() % 3)}, fork_number::main,
                       static_cast<block_number>(random() % 500));
    }
    const size_t versions = random() % 16 == 0 ? 1 + random() % 300 : 1 + random() % 4;
    for (size_t v = 0; v < versions; ++v) {
      const lsn at{after.value() + 1 + random() % (last - after)};
      sample_version made;
      made.kind = static_cast<version_kind>(random() % 5);
      if (made.kind <= version_kind::initialises) {
        made.record_start = at - (1 + random() % std::min<uint64_t>(at.value() - 1, 9000));
        made.data = random_bytes(random, random() % 300);
      } else if (made.kind == version_kind::value) {
        made.data = random() % 3 == 0 ? random_bytes(random, page_size_bytes)
                                      : bytes(random() % 20'000, std::byte(random()));
      } else if (made.kind == version_kind::copy) {
        made.source = key::block({1663, 1, 7}, fork_number::main, ~0u);
        made.source_at = lsn{1 + random() % 100};
      }
      all[k][at] = std::move(made);
    }
  }
  return all;
}

/// Calls back with each as an entry, in the order of version_cursor.
template <class Each>
void for_each_entry(const sample_versions& all, const Each& each) {
  for (const auto& [k, versions] : all)
    for (const auto& [at, v] : versions)
      each(layers::version_entry{k, at, v.kind, v.data, v.record_start, v.source, v.source_at});
}

/// All that a cursor gives.
inline result<sample_versions> read_all(layers::version_cursor& from) {
  sample_versions all;
  layers::version_entry entry;
  for (;;) {
    ZENITH_TRY_ASSIGN(const bool is_there, from.next(entry));
    if (!is_there) return all;
    auto& versions = all[entry.k];
    if ((!versions.empty() && entry.at >= versions.rbegin()->first) ||
        all.rbegin()->first != entry.k)
      return fail(errc::corrupt, "a cursor gives versions out of order");
    versions[entry.at] = {entry.kind, bytes(entry.data.begin(), entry.data.end()),
                          entry.record_start, entry.source, entry.source_at};
  }
}

}  // namespace zenith::testing
