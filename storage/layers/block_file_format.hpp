// What writing and reading a block file share: magic numbers, limits.
#pragma once

#include "storage/layers/block_file.hpp"

namespace zenith::layers {

inline constexpr uint32_t header_magic = 0x4B4C425A;  ///< "ZBLK"
inline constexpr uint32_t footer_magic = 0x444E455A;  ///< "ZEND"
inline constexpr uint32_t block_file_format_version = 2;
inline constexpr uint32_t block_file_first_version = 1;  ///< the oldest that is read
inline constexpr uint32_t compression_none = 0;
inline constexpr uint32_t compression_zstd = 1;
inline constexpr uint32_t compression_lz4 = 2;
/// No block is larger, packed or not; sizes are u32, and a damaged one shall not ask for memory.
inline constexpr uint64_t block_limit_bytes = uint64_t{2} << 30;
/// With its header.
inline constexpr uint64_t stored_block_limit_bytes = sizeof(block_header) + block_limit_bytes;
/// No index has more levels below its root: a hundred entries a block are 10^14 data blocks.
inline constexpr uint32_t index_levels_max = 6;

template <class T>
byte_view view_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace zenith::layers
