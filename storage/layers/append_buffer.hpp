// append_buffer: bytes that are put behind each other, in memory that is kept and never cleared.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "storage/base/bytes.hpp"

namespace zenith::layers {

/// What a std::vector does too, but without filling what it grows by, and inline.
class append_buffer {
 public:
  void append(byte_view part) {
    std::byte* const at = reserve(part.size());
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    size_ += part.size();
  }
  /// Room for so many more bytes, uninitialised; valid until the next call that grows it. They
  /// count once add() was told of them.
  std::byte* reserve(size_t more_bytes) {
    if (size_ + more_bytes > capacity_) grow(size_ + more_bytes);
    return data_.get() + size_;
  }
  void add(size_t filled_bytes) { size_ += filled_bytes; }
  void clear() { size_ = 0; }
  /// Forgets what lies behind so many bytes, no more than there are.
  void cut(size_t kept_bytes) { size_ = kept_bytes; }

  std::byte* data() { return data_.get(); }
  byte_view view() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  void grow(size_t needed_bytes) {
    const size_t capacity = std::max(needed_bytes, capacity_ * 2);
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size_ != 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace zenith::layers
