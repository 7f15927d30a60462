// guarded: memory whose surroundings, far beyond any 16-bit offset, must not be touched.
#pragma once

#include <sanitizer/asan_interface.h>

#include <memory>
#include <new>

#include "storage/base/bytes.hpp"

namespace zenith::fuzz {

/// What an offset of 16 bits reaches, on either side of a page or a record, is out of bounds. The
/// address sanitizer's own zones between allocations are narrower than that.
inline constexpr size_t guard_bytes = 68 * 1024;

/// Room for up to `capacity` bytes between two guards; each use may have another size, of which the
/// end is exact.
class guarded_memory {
 public:
  explicit guarded_memory(size_t capacity_bytes)
      : capacity_bytes_((capacity_bytes + 7) & ~size_t{7}),
        all_(new (std::align_val_t{64}) std::byte[guard_bytes + capacity_bytes_ + guard_bytes]) {
    ASAN_POISON_MEMORY_REGION(all_, guard_bytes + capacity_bytes_ + guard_bytes);
  }
  ~guarded_memory() {
    ASAN_UNPOISON_MEMORY_REGION(all_, guard_bytes + capacity_bytes_ + guard_bytes);
    operator delete[](all_, std::align_val_t{64});
  }
  guarded_memory(const guarded_memory&) = delete;
  guarded_memory& operator=(const guarded_memory&) = delete;

  /// What was given out before is out of bounds from here on. `size_bytes`: up to the capacity.
  byte_span use(size_t size_bytes) {
    std::byte* const begin = all_ + guard_bytes;
    ASAN_POISON_MEMORY_REGION(begin, capacity_bytes_);
    ASAN_UNPOISON_MEMORY_REGION(begin, size_bytes);
    return {begin, size_bytes};
  }
  size_t capacity_bytes() const { return capacity_bytes_; }

 private:
  size_t capacity_bytes_;
  std::byte* all_;
};

/// A page between guards.
class guarded_page {
 public:
  guarded_page() : page_(new (memory_.use(sizeof(page)).data()) page) {}
  page& operator*() { return *page_; }
  page* operator->() { return page_; }

 private:
  guarded_memory memory_{sizeof(page)};
  page* page_;
};

}  // namespace zenith::fuzz
