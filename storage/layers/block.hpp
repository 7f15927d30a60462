// block: the sorted entries of one block of a file, unpacked.
//
// Unpacked block, frozen; integers little-endian:
//    0  u32  number of entries
//    4  the keys, of one size, strictly rising
//       a u32 for each entry: where its value ends, counted from the first value's start
//       the values
#pragma once

#include <cstring>
#include <memory>

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/layers/page_memory.hpp"

namespace zenith::layers {

/// Immutable; its sizes and the order of its keys were checked.
class block {
 public:
  block() = default;
  /// Error: corrupt (without the file's name).
  static result<block> parse(block_bytes unpacked, size_t size_bytes, uint32_t key_size_bytes);

  uint32_t size() const { return count_; }
  byte_view key(uint32_t i) const {
    return {data_.get() + 4 + size_t{i} * key_size_, size_t{key_size_}};
  }
  byte_view value(uint32_t i) const {
    const uint32_t begin = i == 0 ? 0 : end_of(i - 1);
    return {data_.get() + values_ + begin, end_of(i) - begin};
  }
  /// The first entry whose key is not below this one; size() where all are.
  uint32_t lower_bound(byte_view key) const;
  size_t size_bytes() const { return size_; }

 private:
  uint32_t same_in_all_keys() const;
  uint32_t end_of(uint32_t i) const { return load<uint32_t>(data_.get() + ends_ + 4 * size_t{i}); }

  block_bytes data_;
  size_t size_ = 0;
  uint32_t count_ = 0;
  uint32_t key_size_ = 0;
  uint32_t same_ = 0;  // so many bytes are the same at the beginning of all keys, and more follow
  size_t ends_ = 0;    // offset in data_
  size_t values_ = 0;  // offset in data_
};
using block_ptr = std::shared_ptr<const block>;

/// memcmp of keys of one size: what a search does most.
inline int compare(byte_view a, byte_view b) {
  const size_t size = std::min(a.size(), b.size());
  if (size < sizeof(uint64_t)) return size == 0 ? 0 : std::memcmp(a.data(), b.data(), size);
  const auto word_at = [](byte_view key, size_t at) {
    return load_big_endian<uint64_t>(key.data() + at);
  };
  for (size_t at = 0;; at = std::min(at + sizeof(uint64_t), size - sizeof(uint64_t))) {
    const uint64_t left = word_at(a, at);
    const uint64_t right = word_at(b, at);
    if (left != right) return left < right ? -1 : 1;
    if (at == size - sizeof(uint64_t)) return 0;
  }
}

}  // namespace zenith::layers
