// unpacked_block: the bytes of a block that a file holds packed.
#pragma once

#include <string>

#include "storage/base/bytes.hpp"

namespace zenith::layers {

/// What stored bytes can unpack to at most, whatever a header says of them; to be asked before
/// memory is taken for it. 0 of another compression, and of what no unpacking takes. An LZ4 block
/// has no sizes in it, but no byte of it stands for more than 255 (lz4_Block_format.md).
uint64_t unpacked_bytes_max(byte_view stored, uint32_t compression);

/// Fills all of `into`, which is no larger than unpacked_bytes_max. Gives what is wrong, nothing
/// where all is well.
std::string unpack_block(byte_span into, byte_view stored, uint32_t compression);

}  // namespace zenith::layers
