// The program's operator new, with a counter.
#include "bench/support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace zenith::bench {
namespace {

std::atomic<uint64_t> count{0};

}  // namespace

uint64_t allocations_so_far() { return count.load(std::memory_order_relaxed); }

}  // namespace zenith::bench

void* operator new(size_t size) {
  zenith::bench::count.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
