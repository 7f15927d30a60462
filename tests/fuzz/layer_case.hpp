// layer_case: a layer file as its parts, so that a change of one is still a file with right sizes,
// places and checksums.
//
// u8 flags (1: a delta layer, else an image; 2: format version 1; 4: filters; 8: places in the
// index stay as they came), u32 first and u32 last LSN, then each block: u8 height in its low half
// (0: a data block) and compression in its high half, u32 its size unpacked (of compressed ones),
// u16 its size, its bytes. The last block is the root of the index.
#pragma once

#include "tests/fuzz/input.hpp"

namespace zenith::fuzz {

inline constexpr uint8_t layer_is_delta = 1;
inline constexpr uint8_t layer_is_version_1 = 2;
inline constexpr uint8_t layer_has_filters = 4;
inline constexpr uint8_t layer_keeps_places = 8;

/// The file that a case describes.
bytes layer_file_of(byte_view layer_case);

/// The case that describes a file of valid blocks, which it holds unpacked.
bytes layer_case_of(byte_view file);

}  // namespace zenith::fuzz
