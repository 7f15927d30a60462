// Aligned anonymous memory that is advised to be huge pages.
#include "storage/layers/memory_block.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace zenith::layers {

memory_block::memory_block(size_t size_bytes) : size_bytes_(size_bytes) {
  if (!is_huge(size_bytes)) {
    data_ = static_cast<std::byte*>(::operator new(size_bytes));
    return;
  }
  // What lies before and behind the aligned part is given back.
  const size_t mapped_bytes = size_bytes + huge_page_bytes;
  void* const mapped =
      mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t before =
      (huge_page_bytes - reinterpret_cast<uintptr_t>(mapped) % huge_page_bytes) % huge_page_bytes;
  data_ = begin + before;
  if (before != 0) munmap(begin, before);
  munmap(data_ + size_bytes, huge_page_bytes - before);
  // Where the kernel has none, pages of the usual size do as well.
  madvise(data_, size_bytes, MADV_HUGEPAGE);
}

memory_block::~memory_block() {
  if (data_ == nullptr) return;
  if (is_huge(size_bytes_))
    munmap(data_, size_bytes_);
  else
    ::operator delete(data_);
}

}  // namespace zenith::layers
