// page_memory: memory for pages and for blocks that hold one page, cut from huge pages.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace zenith::layers {

/// A page with what its owner notes beside it, or one block of a file that holds a page.
inline constexpr size_t page_piece_bytes = 8192 + 192;

/// Uninitialised memory for page_piece_bytes. Pieces come from blocks of 2 MiB that the process
/// keeps: what was given back serves the next taker, so that reading pages neither searches a heap
/// nor takes fresh memory from the kernel, which is dearer than a page's contents. Any thread may
/// give back what another one took; each keeps a few. Throws std::bad_alloc.
void* take_page_piece();
void give_page_piece(void* piece) noexcept;
/// Of the memory that was ever taken from the system for pieces, what is used now and what is not.
struct page_memory_bytes {
  size_t used = 0;  ///< those that threads keep count as used
  size_t free = 0;
};
page_memory_bytes page_memory_in_use();

/// For std::allocate_shared of what fits into a piece; anything larger comes from the heap.
template <class T>
struct page_allocator {
  using value_type = T;
  page_allocator() = default;
  template <class U>
  page_allocator(const page_allocator<U>&) {}

  static constexpr bool fits(size_t count) { return count * sizeof(T) <= page_piece_bytes; }
  T* allocate(size_t count) {
    return static_cast<T*>(fits(count) ? take_page_piece() : ::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) noexcept {
    if (fits(count))
      give_page_piece(memory);
    else
      ::operator delete(memory);
  }
  bool operator==(const page_allocator&) const = default;
};

/// Bytes of an unpacked block.
struct free_block_bytes {
  bool is_piece = false;
  void operator()(std::byte* memory) const noexcept {
    if (is_piece)
      give_page_piece(memory);
    else
      delete[] memory;
  }
};
using block_bytes = std::unique_ptr<std::byte[], free_block_bytes>;
/// Uninitialised.
block_bytes make_block_bytes(size_t size_bytes);

}  // namespace zenith::layers
