// Taking an unpacked block apart, and finding a key in it.
#include "storage/layers/block.hpp"

#include <fmt/format.h>

namespace zenith::layers {

result<block> block::parse(std::unique_ptr<std::byte[]> unpacked, size_t size,
                           uint32_t key_size_bytes) {
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
  return b;
}

uint32_t block::lower_bound(byte_view wanted) const {
  uint32_t low = 0;
  uint32_t high = count_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (compare(key(middle), wanted) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace zenith::layers
