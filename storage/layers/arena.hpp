// arena: append-only memory with stable addresses, written by one thread, freed as a whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "storage/layers/memory_block.hpp"

namespace zenith::layers {

/// Gives out pieces that start at multiples of 8. What was written to a piece before its address
/// was handed to another thread (through a lock or an atomic) may be read there.
///
/// Takes nothing until something is asked for; then chunks as large as all before them together,
/// between two bounds.
class arena {
 public:
  static constexpr size_t first_chunk_bytes = 2 << 10;
  static constexpr size_t chunk_size_bytes = memory_block::huge_page_bytes;

  /// So many uninitialised bytes; never nullptr.
  std::byte* allocate(size_t size_bytes) {
    size_bytes = (size_bytes + 7) & ~size_t{7};
    if (size_bytes > left_bytes_) return allocate_chunk(size_bytes);
    std::byte* const piece = next_;
    next_ += size_bytes;
    left_bytes_ -= size_bytes;
    return piece;
  }

  /// What the chunks take, used or not.
  size_t size_bytes() const { return total_bytes_; }

 private:
  std::byte* allocate_chunk(size_t size_bytes) {
    // A large piece gets a chunk of its own, so that the rest of the open one is not lost.
    const size_t common_bytes = std::clamp(total_bytes_, first_chunk_bytes, chunk_size_bytes);
    const bool alone = size_bytes > common_bytes / 4;
    const size_t chunk_bytes = alone ? size_bytes : common_bytes;
    chunks_.emplace_back(chunk_bytes);
    total_bytes_ += chunk_bytes;
    std::byte* const piece = chunks_.back().data();
    if (!alone) {
      next_ = piece + size_bytes;
      left_bytes_ = chunk_bytes - size_bytes;
    }
    return piece;
  }

  std::vector<memory_block> chunks_;
  std::byte* next_ = nullptr;
  size_t left_bytes_ = 0;
  size_t total_bytes_ = 0;
};

}  // namespace zenith::layers
