// What writing and reading a block file share: magic numbers, limits, the index's entries.
#pragma once

#include <algorithm>
#include <cstring>

#include "storage/layers/block_file.hpp"

namespace zenith::layers {

inline constexpr uint32_t header_magic = 0x4B4C425A;  ///< "ZBLK"
inline constexpr uint32_t footer_magic = 0x444E455A;  ///< "ZEND"
inline constexpr uint32_t block_file_format_version = 1;
inline constexpr uint32_t compression_none = 0;
inline constexpr uint32_t compression_zstd = 1;
/// No block is larger, packed or not; sizes are u32, and a damaged one shall not ask for memory.
inline constexpr uint64_t block_limit_bytes = uint64_t{2} << 30;

/// The value of an entry in the index (block_file.hpp says the offsets).
struct block_place {
  uint64_t offset;
  uint32_t size_bytes;
  uint32_t zero;
};
static_assert(sizeof(block_place) == 16);

template <class T>
byte_view view_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

/// memcmp of keys of one size.
inline int compare(byte_view a, byte_view b) {
  return std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
}

}  // namespace zenith::layers
