// block_filter: a Bloom filter of the keys in one data block, which lies in the index above it.
//
// Bits of bytes, the lowest first; a key with hash h sets, for i from 0 to 6, the bit number
// (low half of h + i * high half of h, as u32) modulo the number of bits. The hash is FNV-1a over
// 8-byte words (the last one filled up with zeros) with a final mix, see filter_hash. All frozen.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "storage/base/bytes.hpp"

namespace zenith::layers {

inline constexpr unsigned filter_probes = 7;
inline constexpr size_t filter_bits_per_key = 10;

inline uint64_t filter_hash(byte_view key) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t at = 0; at < key.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, key.data() + at, std::min<size_t>(8, key.size() - at));
    h = (h ^ word) * 0x100000001b3u;
    h ^= h >> 29;
  }
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  h ^= h >> 32;
  return h;
}

inline uint64_t filter_bit(uint64_t hash, unsigned probe, uint64_t bits) {
  const auto low = static_cast<uint32_t>(hash);
  const auto high = static_cast<uint32_t>(hash >> 32);
  return static_cast<uint32_t>(low + probe * high) % bits;
}

/// Appends the filter of keys with these hashes.
inline void append_filter(std::span<const uint64_t> hashes, bytes& to) {
  const size_t begin = to.size();
  const size_t size = (hashes.size() * filter_bits_per_key + 7) / 8;
  to.resize(begin + size);
  for (const uint64_t hash : hashes) {
    for (unsigned i = 0; i < filter_probes; ++i) {
      const uint64_t bit = filter_bit(hash, i, size * 8);
      to[begin + bit / 8] |= static_cast<std::byte>(1u << (bit % 8));
    }
  }
}

/// False: a key with this hash is not among those that the filter was made of.
inline bool filter_may_hold(byte_view filter, uint64_t hash) {
  if (filter.empty()) return true;
  for (unsigned i = 0; i < filter_probes; ++i) {
    const uint64_t bit = filter_bit(hash, i, filter.size() * 8);
    if ((filter[bit / 8] & static_cast<std::byte>(1u << (bit % 8))) == std::byte{}) return false;
  }
  return true;
}

}  // namespace zenith::layers
