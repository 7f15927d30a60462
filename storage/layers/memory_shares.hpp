// memory_shares: how the one bound of a node's memory is shared out.
#pragma once

#include <cstdint>

namespace zenith::layers {

/// What each user of much memory may take. What is left of the bound, at least an eighth, is for
/// all else: memory kept for the next layer, connections, WAL on its way, jobs that write and
/// merge, the program itself.
struct memory_shares {
  uint64_t page_cache_bytes = 0;   ///< finished pages
  uint64_t block_cache_bytes = 0;  ///< unpacked blocks of layer files
  uint64_t layers_bytes = 0;       ///< open and frozen layers of all timelines (memory_budget)
  /// Of written layers, for the next ones (memory_block), beside what layers_bytes has unused.
  uint64_t kept_bytes = 0;
  uint64_t open_layer_bytes = 0;  ///< of one timeline at most, before it is frozen
};

/// Of the bound's bytes. One timeline alone can have one layer open and two waiting to be written
/// before it has to wait for that, whatever `open_layer_size_bytes` asks for.
constexpr memory_shares share_memory(uint64_t limit_bytes, uint64_t open_layer_size_bytes) {
  const uint64_t eighth = limit_bytes / 8;
  memory_shares shares{2 * eighth, 2 * eighth, 3 * eighth, eighth / 4, open_layer_size_bytes};
  if (shares.open_layer_bytes > shares.layers_bytes / 4)
    shares.open_layer_bytes = shares.layers_bytes / 4;
  return shares;
}

}  // namespace zenith::layers
