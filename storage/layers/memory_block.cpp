// Aligned anonymous memory that is advised to be huge pages, and kept for the next block.
#include "storage/layers/memory_block.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace zenith::layers {
namespace {

/// Mapped pieces of one huge page each that nobody uses. Never destroyed: blocks may outlive all
/// else.
struct kept_blocks {
  std::mutex mutex;
  std::vector<std::byte*> free;
  size_t max = 0;

  std::byte* take() {
    const std::lock_guard lock(mutex);
    if (free.empty()) return nullptr;
    std::byte* const taken = free.back();
    free.pop_back();
    return taken;
  }
  bool keep(std::byte* block) {
    const std::lock_guard lock(mutex);
    if (free.size() >= max) return false;
    free.push_back(block);
    return true;
  }
};

kept_blocks& kept() {
  static auto* const all = new kept_blocks;
  return *all;
}

}  // namespace

void memory_block::keep_at_most(size_t size_bytes) {
  std::vector<std::byte*> surplus;
  {
    const std::lock_guard lock(kept().mutex);
    kept().max = size_bytes / huge_page_bytes;
    kept().free.reserve(kept().max);
    while (kept().free.size() > kept().max) {
      surplus.push_back(kept().free.back());
      kept().free.pop_back();
    }
  }
  for (std::byte* const block : surplus) munmap(block, huge_page_bytes);
}

size_t memory_block::kept_bytes() {
  const std::lock_guard lock(kept().mutex);
  return kept().free.size() * huge_page_bytes;
}

memory_block::memory_block(size_t size_bytes) : size_bytes_(size_bytes) {
  if (!is_huge(size_bytes)) {
    data_ = static_cast<std::byte*>(::operator new(size_bytes));
    return;
  }
  if (size_bytes == huge_page_bytes && (data_ = kept().take()) != nullptr) return;
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
  if (size_bytes_ == huge_page_bytes && kept().keep(data_)) return;
  if (is_huge(size_bytes_))
    munmap(data_, size_bytes_);
  else
    ::operator delete(data_);
}

}  // namespace zenith::layers
