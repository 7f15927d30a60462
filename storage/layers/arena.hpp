// arena: append-only memory with stable addresses, written by one thread, freed as a whole.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace zenith::layers {

/// Gives out pieces that start at multiples of 8. What was written to a piece before its address
/// was handed to another thread (through a lock or an atomic) may be read there.
class arena {
 public:
  static constexpr size_t chunk_size_bytes = 1 << 20;

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
    const bool alone = size_bytes > chunk_size_bytes / 4;
    const size_t chunk_bytes = alone ? size_bytes : chunk_size_bytes;
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_bytes));
    total_bytes_ += chunk_bytes;
    std::byte* const piece = chunks_.back().get();
    if (!alone) {
      next_ = piece + size_bytes;
      left_bytes_ = chunk_bytes - size_bytes;
    }
    return piece;
  }

  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::byte* next_ = nullptr;
  size_t left_bytes_ = 0;
  size_t total_bytes_ = 0;
};

}  // namespace zenith::layers
