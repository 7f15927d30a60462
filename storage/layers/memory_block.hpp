// memory_block: a piece of memory of its own, on huge pages where it is large.
#pragma once

#include <cstddef>
#include <utility>

namespace zenith::layers {

/// What a memory layer holds is written once and read in another order: on pages of 4 KiB half of
/// the time goes into finding them (each is a walk through two levels of page tables in a virtual
/// machine) and into the kernel giving them out one by one.
class memory_block {
 public:
  /// A multiple of this size is taken from the kernel, aligned to it, as huge pages where it has
  /// some, and given back to it at once; anything else comes from the heap.
  static constexpr size_t huge_page_bytes = size_t{2} << 20;

  /// From any thread: so many bytes of such pieces as have this very size are kept when they are
  /// not used any more, for the next ones, as the kernel would clear them; at first none.
  static void keep_at_most(size_t size_bytes);
  /// What is kept now.
  static size_t kept_bytes();

  memory_block() = default;
  /// Uninitialised. Throws std::bad_alloc.
  explicit memory_block(size_t size_bytes);
  memory_block(memory_block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_bytes_(other.size_bytes_) {}
  memory_block& operator=(memory_block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ~memory_block();

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  static bool is_huge(size_t size_bytes) {
    return size_bytes != 0 && size_bytes % huge_page_bytes == 0;
  }
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace zenith::layers
