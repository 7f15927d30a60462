// Taking an unpacked block apart, and finding a key in it.
#include "storage/layers/block.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zenith::layers {

result<block> block::parse(block_bytes unpacked, size_t size, uint32_t key_size_bytes) {
  block b;
  b.key_size_ = key_size_bytes;
  if (size < 4) return fail(errc::corrupt, fmt::format("has {} bytes, expected at least 4", size));
  b.count_ = load<uint32_t>(unpacked.get());
  const uint64_t ends = 4 + uint64_t{b.count_} * key_size_bytes;
  const uint64_t values = ends + uint64_t{b.count_} * 4;
  if (values > size)
    return fail(errc::corrupt, fmt::format("has {} bytes, expected at least {} for its {} entries",
                                           size, values, b.count_));
  b.ends_ = ends;
  b.values_ = values;
  b.size_ = size;
  b.data_ = std::move(unpacked);
  uint32_t last_end = 0;
  for (uint32_t i = 0; i < b.count_; ++i) {
    const uint32_t end = b.end_of(i);
    if (end < last_end || end > size - values)
      return fail(errc::corrupt, fmt::format("says that its value {} ends at {}, expected {} to {}",
                                             i, end, last_end, size - values));
    last_end = end;
    if (i != 0 && compare(b.key(i - 1), b.key(i)) >= 0)
      return fail(errc::corrupt, fmt::format("has its entry {} out of order", i));
  }
  b.same_ = b.same_in_all_keys();
  return b;
}

// What comes after it has to fill a word for compare() to be quick.
uint32_t block::same_in_all_keys() const {
  if (count_ == 0 || key_size_ < sizeof(uint64_t)) return 0;
  const byte_view first = key(0);
  const byte_view last = key(count_ - 1);
  const auto differs = std::ranges::mismatch(first, last).in1;
  return std::min<uint32_t>(static_cast<uint32_t>(differs - first.begin()),
                            key_size_ - sizeof(uint64_t));
}

uint32_t block::lower_bound(byte_view wanted) const {
  const uint32_t same = wanted.size() == key_size_ ? same_ : 0;
  if (same != 0)
    if (const int order = compare(wanted.first(same), key(0).first(same)); order != 0)
      return order < 0 ? 0 : count_;
  const byte_view rest = wanted.subspan(same);
  uint32_t low = 0;
  uint32_t high = count_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (compare(key(middle).subspan(same), rest) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace zenith::layers
